import { err, ok, type Result } from "../../lib/result.ts";

/** Where the snapshots of workers are unless told otherwise (spec/workers 12.1). */
export const SNAPSHOT_DIR = ".harn/workers";

/** The reference of a worker's snapshot (spec/workers 12.1). */
export const snapshotPath = (workerId: string, directory: string = SNAPSHOT_DIR): string =>
  `${directory}/${workerId}.json`;

/** Whether a text refers to a snapshot by its path; otherwise it is the id of a worker (spec/workers 12.4). */
export const isSnapshotPath = (target: string): boolean => target.includes("/") || target.endsWith(".json");

/** The path of the snapshot that an id or a path refers to (spec/workers 12.4). */
export const snapshotTarget = (target: string, directory: string = SNAPSHOT_DIR): Result<string, string> => {
  if (target === "") return err("resume_agent: missing worker id or snapshot path");
  return ok(isSnapshotPath(target) ? target : snapshotPath(target, directory));
};
