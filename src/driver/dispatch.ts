import type { Coordination, DispatchGiven, Order } from "../../durable-objects/shell/trigger-requests.ts";
import type { Judgement, Question } from "../../durable-objects/shell/predicate-desk.ts";
import type { EventAnswer } from "../../durable-objects/trigger.ts";
import type { Answer } from "../engine/machine.ts";
import type {
  Admission as CircuitAdmission,
  AttemptReport,
  CircuitAsk,
  CircuitVerdict,
} from "../engine/trigger/circuit.ts";
import type { Admission } from "../engine/trigger/admission.ts";
import type { EventRecord, HandlerReport, SettleDispatch } from "../engine/trigger/event.ts";
import type { HandlerCall, HandlerOutcome, OutsideCall, ResumeCall } from "../engine/trigger/handler.ts";

/** The trigger's object, as far as a dispatch needs it. */
export interface DispatchedTrigger {
  readonly dispatch: (key: string, given?: DispatchGiven) => Promise<Answer<EventAnswer>>;
  readonly settle: (key: string, report: Omit<SettleDispatch, "type">) => Promise<Answer<EventAnswer>>;
}

/** The circuit of one destination. */
export interface DispatchedCircuit {
  readonly allow: (ask: CircuitAsk) => Promise<CircuitAdmission>;
  readonly report: (report: AttemptReport) => Promise<CircuitVerdict>;
}

/** Everything that dispatching an event needs of the outside. */
export interface DispatchPorts {
  /** Asked for again after every wait: a stub does not survive the reset of its object. */
  readonly trigger: () => DispatchedTrigger;
  readonly circuit: (destination: string) => DispatchedCircuit;
  readonly startRun: (call: Extract<HandlerCall, { readonly kind: "workflow" }>) => Promise<HandlerReport>;
  /** Resumes a suspended worker; left out where no trigger waits for one. */
  readonly resumeWorker?: (call: ResumeCall) => Promise<HandlerReport>;
  /** Performs every other call; it stops when the event is cancelled. */
  readonly perform: (call: OutsideCall) => Promise<HandlerOutcome>;
  readonly askModel: (question: Question) => Promise<Judgement>;
  /** Asks the object that coordinates the shards of the trigger; left out where no trigger has any. */
  readonly coordinate?: (ticket: string, record: EventRecord, judgement?: Judgement) => Promise<Coordination>;
  readonly cancelRun: (runId: string) => Promise<void>;
  /** Told of everything that happened to the event. */
  readonly changed: (answer: EventAnswer) => void;
  readonly now: () => number;
}

/** Every order brings an event further; this is for the case that one does not. */
const MAX_ORDERS = 8;

/** How long a probe of a half-open circuit keeps others away, should whoever makes it be lost. */
const PROBE_LEASE_MS = 120_000;

const reportOf = (outcome: HandlerOutcome): HandlerReport =>
  outcome.type === "succeeded"
    ? outcome
    : {
        type: "failed",
        class: outcome.class,
        code: outcome.class,
        detail: outcome.error,
        retryable: outcome.retryable,
      };

/** What an attempt says about its destination. */
const circuitOutcome = (report: HandlerReport): AttemptReport["outcome"] => {
  // A run that is under way was taken: what becomes of it says nothing about whether runs can be started.
  if (report.type !== "failed") return "success";
  return report.retryable ? "failure" : "unused";
};

/** Whether a destination's circuit lets the next attempt pass. */
const circuitGiven = async (
  ports: DispatchPorts,
  { attempt_id, destination }: Extract<Order, { readonly type: "check_circuit" }>,
): Promise<DispatchGiven & { readonly ask: CircuitAsk }> => {
  const ask = { attempt_id, lease_ms: PROBE_LEASE_MS };
  const admission = await ports.circuit(destination).allow(ask);
  if (admission.allowed) return { circuit: { type: "closed" }, ask };
  return { circuit: { type: "open", retry_after_ms: Math.max(0, admission.retry_at_ms - ports.now()) }, ask };
};

const NO_WORKERS: HandlerReport = {
  type: "failed",
  class: "not_implemented",
  code: "not_implemented",
  detail: "no worker can be resumed from here",
  retryable: false,
};

const handled = async (ports: DispatchPorts, call: HandlerCall): Promise<HandlerReport> => {
  if (call.kind === "workflow") return ports.startRun(call);
  if (call.kind === "auto_resume") return ports.resumeWorker?.(call) ?? NO_WORKERS;
  return reportOf(await ports.perform(call));
};

interface Attempt {
  readonly key: string;
  readonly call: HandlerCall;
  /** The circuit that let it pass, if one was asked. */
  readonly passed: { readonly destination: string; readonly ask: CircuitAsk } | null;
}

const attempted = async (ports: DispatchPorts, { key, call, passed }: Attempt): Promise<EventAnswer | null> => {
  const outcome = await handled(ports, call);
  const about = passed === null ? null : circuitOutcome(outcome);
  const verdict =
    passed === null || about === null
      ? null
      : await ports.circuit(passed.destination).report({ attempt_id: passed.ask.attempt_id, outcome: about });
  const report = {
    dispatch_id: call.idempotency_key,
    attempt: call.attempt,
    outcome,
    ...(verdict?.opened === true ? { circuit_opened: true } : {}),
  };
  const settled = await ports.trigger().settle(key, report);
  return settled.ok ? settled.reply : null;
};

/** What the coordinating object says about an event of a shard; null while somebody else asks a model about it. */
const coordinated = async (
  ports: DispatchPorts,
  { ticket, record }: Extract<Order, { readonly type: "coordinate" }>,
): Promise<Admission | null> => {
  if (ports.coordinate === undefined) return null;
  const said = await ports.coordinate(ticket, record);
  if (said.type !== "ask") return said.type === "asked" ? null : said;
  const judged = await ports.coordinate(ticket, record, await ports.askModel(said.question));
  return judged.type === "ask" || judged.type === "asked" ? null : judged;
};

/**
 * Dispatches an event: takes it through predicate, budgets, flow control and circuit, has it handled, and reports how that
 * went (spec/triggers 8). It may die anywhere: the trigger sends its message again until the event is over, and repeating
 * an order is the same order.
 */
export const dispatchEvent = async (ports: DispatchPorts, key: string): Promise<Answer<EventAnswer>> => {
  let given: DispatchGiven = {};
  let passed: Attempt["passed"] = null;
  let last: Answer<EventAnswer> | null = null;
  for (let orders = 0; orders < MAX_ORDERS; orders += 1) {
    const answer: Answer<EventAnswer> = await ports.trigger().dispatch(key, given);
    if (!answer.ok) return answer;
    last = answer;
    ports.changed(answer.reply);
    const order: Order | null = answer.reply.order;
    if (answer.reply.cancel_run !== null) await ports.cancelRun(answer.reply.cancel_run);
    if (order === null) {
      // An attempt that somebody else is making is theirs to report.
      if (passed !== null && answer.reply.row.status !== "dispatching")
        await ports.circuit(passed.destination).report({ attempt_id: passed.ask.attempt_id, outcome: "unused" });
      return answer;
    }
    if (order.type === "ask_model") {
      given = { ...given, judgement: await ports.askModel(order.question) };
    } else if (order.type === "coordinate") {
      const admission = await coordinated(ports, order);
      if (admission === null) return answer;
      given = { ...given, admission };
    } else if (order.type === "check_circuit") {
      const { ask, ...circuit } = await circuitGiven(ports, order);
      passed = { destination: order.destination, ask };
      given = { ...given, ...circuit };
    } else {
      const settled = await attempted(ports, { key, call: order.call, passed });
      if (settled === null) return answer;
      ports.changed(settled);
      if (settled.cancel_run !== null) await ports.cancelRun(settled.cancel_run);
      return { ok: true, reply: settled };
    }
  }
  return last ?? { ok: false, rejection: { code: "event_not_found", detail: "there is no such event" } };
};
