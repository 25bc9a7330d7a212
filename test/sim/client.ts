import type { IdempotencyKey } from "../../durable-objects/shell/idempotency.ts";
import type { RunRequest } from "../../durable-objects/workflow-run.ts";
import type { Answer } from "../../src/engine/machine.ts";
import type { RunReply } from "../../src/engine/run/command.ts";
import { digestOf } from "../../src/lib/digest.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { ObjectHost } from "./host.ts";
import type { Process } from "./process.ts";
import type { HostedObject } from "./real-object.ts";
import { Violation } from "./violation.ts";
import type { WatchedRun } from "./watched-run.ts";

/** Something handed in for an attempt. */
export interface Handed {
  readonly attempt_token: string;
  readonly result: JsonObject;
  readonly node_id?: string;
}

/** Notes what is handed in for an attempt, at the moment it reaches the object. */
export const handIn = ({ checker }: WatchedRun, { attempt_token: token, result }: Handed): void => {
  const { submitted } = checker.units;
  submitted.set(token, (submitted.get(token) ?? new Set()).add(digestOf(result)));
};

interface Told<Instance extends HostedObject, Reply> {
  readonly host: ObjectHost<Instance>;
  readonly name: string;
  readonly call: (object: Instance) => Reply;
}

/** Calls until an object has answered. */
export const untilAnswered = async <Instance extends HostedObject, Reply>(
  process: Process,
  { host, name, call }: Told<Instance, Reply>,
): Promise<Reply> => {
  for (;;) {
    try {
      return await host.call(process, host.epoch, name, call);
    } catch (fault) {
      if (fault instanceof Violation) throw fault;
      await process.sleep(200);
    }
  }
};

/** Tells the run something until it has answered, as a client with an idempotency key does. */
export const insist = (
  run: WatchedRun,
  process: Process,
  { request, key }: { readonly request: RunRequest; readonly key?: IdempotencyKey },
): Promise<Answer<RunReply>> =>
  untilAnswered(process, {
    host: run.host,
    name: request.type,
    call: (object) => {
      if (request.type === "complete_stage")
        handIn(run, { attempt_token: request.attempt_token ?? "", result: request.result });
      return object.request(request, key);
    },
  });

interface Exchange<Reply> {
  readonly what: string;
  readonly key: IdempotencyKey;
  readonly first: Answer<Reply>;
  readonly tell: (key: IdempotencyKey) => Promise<Answer<Reply>>;
}

/** Repeats a request that was answered: the same key gives the same reply, and no other request gets through on it (I5). */
export const repeat = async <Reply>({ what, key, first, tell }: Exchange<Reply>): Promise<void> => {
  const again = await tell(key);
  if (first.ok && JSON.stringify(again) !== JSON.stringify(first))
    throw new Violation("I5 same reply", `${what} was answered differently under one key`);
  const other = await tell({ ...key, request_digest: "other" });
  if (first.ok && (other.ok || other.rejection.code !== "idempotency_key_reused"))
    throw new Violation("I5 same reply", "a key was accepted for another request");
};
