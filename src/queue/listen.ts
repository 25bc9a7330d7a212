import * as z from "zod";
import type { WorkerListener } from "../engine/worker/state.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { Bindings } from "../http/call.ts";
import { forgetListener, storeListener } from "../http/channel-rows.ts";
import { putTrigger } from "../http/trigger-put.ts";
import { triggerObject } from "../http/trigger-object.ts";
import { forgetTrigger, storeTrigger } from "../http/trigger-rows.ts";
import { workerObject } from "../http/worker-object.ts";
import { resumeTrigger } from "../schema/resume-trigger.ts";
import { report, textOf } from "./report.ts";

/** A worker whose listeners are to be as it says. */
export interface ListeningWorker {
  readonly tenant: string;
  readonly worker_id: string;
}

const putListener = async (
  env: Bindings,
  { tenant, worker_id }: ListeningWorker,
  { id, suspended_at, conditions }: WorkerListener,
): Promise<Result<null, string>> => {
  if (conditions.trigger !== undefined) {
    const definition = resumeTrigger(conditions.trigger, { worker_id, suspended_at });
    if (!definition.ok)
      return err(`auto_resume: failed to parse conditions.trigger for registration: ${definition.error}`);
    const put = await putTrigger({ env, tenant }, { trigger_id: id, source: "dynamic" }, definition.value);
    const problem = put.ok ? (put.value.ok ? null : put.value.rejection) : put.error;
    if (problem !== null) return err(`auto_resume: failed to register trigger: ${problem.detail}`);
    const shown = await triggerObject(env, tenant, id).show();
    if (shown === null) return err("auto_resume: failed to resolve registered trigger: it was deleted");
    await storeTrigger(env.DB, tenant, shown);
  }
  const { on_event: channel } = conditions;
  if (channel !== undefined) await storeListener(env.DB, { tenant, channel, listener_id: id, worker_id, suspended_at });
  return ok(null);
};

/** Deletes a trigger that waited for a worker; events that it has accepted are still settled. */
export const removeTrigger = async (env: Bindings, tenant: string, triggerId: string): Promise<void> => {
  await triggerObject(env, tenant, triggerId).control("delete");
  await forgetTrigger(env.DB, tenant, triggerId);
};

const dropListener = async (env: Bindings, tenant: string, { id, conditions }: WorkerListener): Promise<void> => {
  if (conditions.trigger !== undefined) await removeTrigger(env, tenant, id);
  if (conditions.on_event !== undefined)
    await forgetListener(env.DB, { tenant, channel: conditions.on_event, listener_id: id });
};

/** A worker may change its mind while it is served. */
const MAX_ROUNDS = 3;

/**
 * Sets up what the worker wants to be woken by, and takes away what it does not want any more, whatever the message said: messages
 * come late, twice and in any order (spec/workers 18.2). The worker's alarm orders again what it was not told of. Throws when
 * somebody cannot be reached.
 */
export const listenFor = async (env: Bindings, worker: ListeningWorker): Promise<void> => {
  const { tenant, worker_id } = worker;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const owed = await workerObject(env, tenant, worker_id).owedListeners();
    if (owed.length === 0) return;
    for (const one of owed) {
      const trigger_id = one.id;
      if (one.state === "leaving") {
        await dropListener(env, tenant, one);
        await workerObject(env, tenant, worker_id).request({ type: "unlistened", trigger_id });
      } else {
        const put = await putListener(env, worker, one);
        const problem = put.ok ? null : put.error;
        await workerObject(env, tenant, worker_id).request({ type: "listening", trigger_id, problem });
      }
    }
  }
};

/** The same on behalf of a request, so that its answer finds everything in place; what fails is ordered again by the worker. */
export const arrangeListening = async (env: Bindings, worker: ListeningWorker): Promise<void> => {
  try {
    await listenFor(env, worker);
  } catch (error) {
    report("what wakes a worker could not be set up", { ...worker, error: textOf(error) });
  }
};

const listenMessage = z.object({ v: z.literal(1), tenant: z.string().min(1), worker_id: z.string().min(1) });

/** Serves the worker that a message of the control queue names; false when it names none. */
export const listenOnMessage = async (message: Message, env: Bindings): Promise<boolean> => {
  const decoded = listenMessage.safeParse(message.body);
  if (!decoded.success) return false;
  const { tenant, worker_id } = decoded.data;
  await arrangeListening(env, { tenant, worker_id });
  message.ack();
  return true;
};
