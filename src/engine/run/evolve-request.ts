import { evolveHitl } from "../hitl/machine.ts";
import type { RequestRecorded } from "./event.ts";
import { withOpen } from "./open.ts";
import type { Run } from "./state.ts";

/** The run with what people have released: it is a driver's turn, or that of the caller who drives the run. */
const released = (run: Run, event: RequestRecorded): Run =>
  withOpen(run, event.stage_id, (unit) => {
    const { work } = unit;
    if (work.type !== "person" || work.request_id !== event.request_id || work.handler === null) return unit;
    return {
      ...unit,
      work: { ...work, approved: true },
      holder: run.drive === "auto" ? "driver" : "caller",
      retry_at_ms: Date.parse(event.at),
      deadline_ms: null,
    };
  });

/** The run with something that has happened to what it asks people (spec/workers 24). */
export const requestRecorded = (run: Run, event: RequestRecorded): Run => {
  const { request_id: id, stage_id, record } = event;
  const request = evolveHitl(run.requests.get(id)?.request ?? null, record);
  if (request === null) return run;
  const changed = { ...run, requests: run.requests.set(id, { stage_id, request }) };
  return record.type === "approved" ? released(changed, event) : changed;
};
