import type { AdvanceReply } from "../engine/run/command.ts";
import { createExecutor } from "../executor/executor.ts";
import { functions } from "../functions.ts";
import { reducers } from "../reducers.ts";
import { tools } from "../tools.ts";
import { r2Blobs } from "./r2-blobs.ts";
import { withBodies } from "./with-bodies.ts";
import type { RecordedPage, Recording } from "../engine/replay/next-stage.ts";
import { type DrivenRun, driveRun, type DriveOutcome } from "./drive.ts";
import { feedRecording } from "./recording.ts";

/** What a drive message asks for. */
export interface DriveMessage {
  readonly v: 1;
  readonly tenant: string;
  readonly run_id: string;
  /** The attempt to go on with, when a driver handed over. */
  readonly attempt_token?: string;
  /** The attempt at what is done at the end of the run, in place of a driver. */
  readonly finish?: string;
}

/** The platform ends what a request leaves behind after 30 seconds. */
const REQUEST_BUDGET_MS = 27_000;

/** The platform gives a queue consumer 15 minutes. */
const CONSUMER_BUDGET_MS = 14 * 60_000;

interface Drive {
  readonly tenant: string;
  readonly run_id: string;
  readonly budget_ms: number;
  readonly takes_any?: boolean;
  readonly first?: AdvanceReply;
  readonly adopt?: string;
}

const now = (): number => Date.now();

/** What the driver of a replay needs of the run that is replayed. */
interface RecordedRun {
  readonly recording: (from: number) => Promise<RecordedPage>;
}

const readRecording =
  (env: Env, tenant: string) =>
  ({ run_id, from }: Recording): Promise<RecordedPage> =>
    (env.WORKFLOW_RUN.getByName(`${tenant}/${run_id}`) as unknown as RecordedRun).recording(from);

const drive = async (env: Env, { tenant, run_id, budget_ms, ...from }: Drive): Promise<DriveOutcome> => {
  const order = async (message: DriveMessage): Promise<void> => {
    await env.DRIVE_QUEUE.send(message);
  };
  const outcome = await driveRun({
    run: () => env.WORKFLOW_RUN.getByName(`${tenant}/${run_id}`) as unknown as DrivenRun,
    executor: withBodies(
      createExecutor({
        env: env as never,
        fetcher: (input, init) => fetch(input, init),
        functions,
        tools,
        reducers,
        now,
      }),
      r2Blobs(env.BODIES, tenant),
    ),
    deadline: now() + budget_ms,
    now,
    sleep: (ms) => scheduler.wait(ms),
    recruit: () => order({ v: 1, tenant, run_id }),
    recording: feedRecording(readRecording(env, tenant)),
    ...from,
  });
  if (outcome.type === "out_of_time")
    for (const attempt_token of outcome.attempt_tokens) await order({ v: 1, tenant, run_id, attempt_token });
  return outcome;
};

/** Drives a run after the answer to the request that started it has left; a stage that may take longer goes to a consumer. */
export const driveAfterRequest = (
  env: Env,
  run: { tenant: string; run_id: string; first?: AdvanceReply },
): Promise<DriveOutcome> => drive(env, { ...run, budget_ms: REQUEST_BUDGET_MS });

/** Drives a run on behalf of a drive message. */
export const driveFromMessage = (env: Env, message: DriveMessage, first?: AdvanceReply): Promise<DriveOutcome> =>
  drive(env, {
    tenant: message.tenant,
    run_id: message.run_id,
    budget_ms: CONSUMER_BUDGET_MS,
    takes_any: true,
    ...(first === undefined ? {} : { first }),
    ...(message.attempt_token === undefined ? {} : { adopt: message.attempt_token }),
  });
