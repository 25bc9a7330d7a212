import type { ShownResponse } from "../engine/mailbox/view.ts";

const FIRST_WAIT_MS = 25;
const LONGEST_WAIT_MS = 500;

/** Waiting for the response to an update. */
interface UpdateWait {
  readonly read: () => Promise<ShownResponse | null>;
  /** When the caller gives up, in milliseconds. */
  readonly until: number;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/**
 * The response to an update, or null when there is none in time. It is read again after 25 ms, then ever more rarely:
 * whoever waits is stateless, an object that waited would be paid for (architecture 2).
 */
export const awaitResponse = async ({ read, until, now, sleep }: UpdateWait): Promise<ShownResponse | null> => {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 1.5, LONGEST_WAIT_MS)) {
    const response = await read();
    if (response !== null) return response;
    const left = until - now();
    if (left <= 0) return null;
    await sleep(Math.min(wait, left));
  }
};

/** The text of an update that nobody has answered in time (spec/workflow 13). */
export const updateTimeoutText = (name: string, workflowId: string): string =>
  `workflow update '${name}' timed out for '${workflowId}'`;
