import { queuedInInbox, jobItem, sortedQueued } from "../../../src/engine/finish/queued.ts";
import { waitingJob } from "../../../src/engine/finish/queued-job.ts";
import { handoffItem, snapshotOf, type UnsettledState } from "../../../src/engine/finish/snapshot.ts";
import { payloadSummary, triggerSummary } from "../../../src/engine/finish/summaries.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { listArg, type Operations, textArg } from "../operation.ts";
import type { System } from "../system.ts";

const optionalText = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

/** More jobs than any vector puts into a queue. */
const ALL_JOBS = 1_000;

const queued = (system: System): UnsettledState["queued_triggers"] => {
  const { now } = system.clock;
  const { log } = system.dispatcher;
  const topics = {
    inbox: log.read("trigger.inbox.envelopes"),
    outbox: log.read("trigger.outbox"),
    cancels: log.read("trigger.cancel.requests"),
  };
  const jobs = system.queues.names.flatMap((queue) => {
    const shell = system.queues.named(queue);
    return shell.jobs("open", ALL_JOBS).flatMap(({ job_id }) => {
      const job = shell.job(job_id);
      return job === null ? [] : [jobItem(waitingJob(queue, job, now), now)];
    });
  });
  return sortedQueued([...queuedInInbox(topics, now), ...jobs]);
};

const snapshot = (system: System, args: JsonObject): unknown => {
  const { now } = system.clock;
  return snapshotOf({
    suspended_subagents: listArg(args, "suspended_subagents") as readonly JsonObject[],
    queued_triggers: queued(system),
    partial_handoffs: system.lifecycle.state.handoffs.map((handoff) => handoffItem(handoff, now)),
    in_flight_llm_calls: listArg(args, "in_flight_llm_calls") as unknown as UnsettledState["in_flight_llm_calls"],
    pool_pending_tasks: listArg(args, "pool_pending_tasks") as readonly JsonObject[],
  });
};

/** What a pipeline leaves behind (spec/workers 21 and 22). */
export const lifecycleOperations: Operations = {
  set_session: (system, args) => {
    system.lifecycle.session = (args["session"] ?? null) as JsonObject | null;
  },
  audit_emit: (system, args) =>
    system.lifecycle.tell({ type: "emit_audit", kind: textArg(args, "kind"), payload: args["payload"] ?? null }).entry,
  audit_snapshot: (system) => system.lifecycle.audit(),
  audit_take: (system) => system.lifecycle.take(),
  handoff_to: (system, args) =>
    system.lifecycle.tell({ type: "hand_off", target: textArg(args, "target"), payload: args["payload"] ?? null })
      .envelope,
  handoff_ack: (system, args) => {
    const [envelope_id, decision] = [textArg(args, "envelope_id"), args["decision"] ?? null];
    return system.lifecycle.tell({ type: "acknowledge_handoff", envelope_id, decision }).envelope;
  },
  finalize_pipeline: (system, args) => {
    const { entry } = system.lifecycle.tell({ type: "set_disposition", disposition: args["disposition"] ?? null });
    return { status: "finalized", method: "finalize", entry };
  },
  pipeline_disposition: (system) => system.lifecycle.state.disposition,
  set_on_finish: (system, args) => {
    const on_finish = { handler: textArg(args, "callback"), input: null };
    system.lifecycle.tell({ type: "set_on_finish", on_finish });
  },
  take_on_finish: (system) => system.lifecycle.tell({ type: "take_on_finish" }).on_finish?.handler ?? null,
  lifecycle_clear: (system) => system.lifecycle.clear(),
  unsettled_snapshot: snapshot,
  payload_summary: (_system, args) => payloadSummary(args["payload"] ?? null),
  trigger_summary: (_system, args) =>
    triggerSummary({
      trigger_id: optionalText(args["trigger_id"]),
      provider: optionalText(args["provider"]),
      kind: optionalText(args["kind"]),
    }),
};
