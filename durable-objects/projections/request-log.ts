import { recordOf } from "../../src/engine/hitl/log.ts";
import { findRequest, type LoggedRequest, type RequestLine } from "../../src/engine/run/request-view.ts";
import type { RunShell } from "./run-record.ts";

/** All that has happened to a request of a run, oldest first: its lines of the audit (spec/workers 24.1). */
const linesOf = (shell: RunShell, requestId: string): readonly RequestLine[] => {
  const asking = shell.state?.requests.get(requestId)?.request.asking;
  if (asking === undefined) return [];
  return shell.entries().flatMap(({ events }) =>
    events.flatMap((event) => {
      if (event.type !== "request_recorded" || event.request_id !== requestId) return [];
      const { kind, payload } = recordOf(asking, event.record);
      return [{ at: event.at, kind, payload }];
    }),
  );
};

/** What people are asked under an id and what has become of it, with its log where that is wanted; null for no such request. */
export const readRequest = (shell: RunShell, requestId: string, withLog: boolean): LoggedRequest | null => {
  const view = findRequest(shell.state, requestId);
  return view === null || !withLog ? view : { ...view, log: linesOf(shell, requestId) };
};
