import { dispatchEvent, type DispatchPorts } from "../../../src/driver/dispatch.ts";
import { CircuitMemory, type CircuitObject } from "../../../src/http/circuit-object.ts";
import type { HandlerReport } from "../../../src/engine/trigger/event.ts";
import type { HandlerOutcome, OutsideCall } from "../../../src/engine/trigger/handler.ts";
import { Process } from "../process.ts";
import { Violation } from "../violation.ts";
import type { WatchedTrigger } from "./watched-trigger.ts";
import type { TriggerWorld } from "./world.ts";

const unavailable: HandlerReport = {
  type: "failed",
  class: "infrastructure",
  code: "unavailable",
  detail: "the run could not be created: network lost",
  retryable: true,
};

const failed = (kind: "local" | "denied" | "timeout" | "cancelled", retryable: boolean): HandlerOutcome => ({
  type: "failed",
  class: kind,
  error: `the handler failed: ${kind}`,
  retryable,
});

const startRun =
  (world: TriggerWorld, process: Process, key: string): DispatchPorts["startRun"] =>
  async (call) => {
    const { faults, ledger } = world;
    await process.sleep(world.latency());
    if (faults.hits("rpc_lost")) return unavailable;
    const report = ledger.start(call, key);
    await process.sleep(world.latency());
    return faults.hits("answer_lost") ? unavailable : report;
  };

/** How long a handler may take at all. */
const limitOf = (call: OutsideCall): number => {
  if (call.kind === "http") return call.http.timeout_ms;
  return call.kind === "worker" ? 5_000 : call.timeout_ms;
};

/** Longer than any lease of an attempt. */
const HANG_MS = 60_000;

const outcomeOf = (world: TriggerWorld, call: OutsideCall): HandlerOutcome => {
  const { faults } = world;
  if (world.isDown(call.target_uri) || faults.hits("handler_fails")) return failed("local", true);
  if (faults.hits("handler_denies")) return failed("denied", false);
  return { type: "succeeded", result: { attempt: call.attempt } };
};

/** Does what a handler does, badly; it looks once whether it is to stop. */
const perform =
  (world: TriggerWorld, process: Process, trigger: WatchedTrigger, key: string): DispatchPorts["perform"] =>
  async (call) => {
    const { faults, ledger, random } = world;
    const { host } = trigger;
    trigger.expects(call);
    ledger.called(call);
    const limit = limitOf(call);
    if (faults.hits("handler_times_out")) {
      await process.sleep(limit);
      return failed("timeout", true);
    }
    const isLate = faults.hits("handler_hangs");
    await process.sleep(isLate ? limit + random.int(HANG_MS, 3 * HANG_MS) : random.int(10, limit / 2));
    const asked = host.call(process, host.epoch, "is it cancelled", (object) => object.isCancelled(key));
    if (await asked.catch(() => false)) return failed("cancelled", false);
    await process.sleep(random.int(1, 500));
    if (isLate) world.counters.late_reports += 1;
    return isLate ? { type: "succeeded", result: { late: true } } : outcomeOf(world, call);
  };

const askModel =
  (world: TriggerWorld, process: Process): DispatchPorts["askModel"] =>
  async ({ id, timeout_ms }) => {
    const { faults, random, counters } = world;
    counters.questions += 1;
    await process.sleep(random.int(50, Math.min(timeout_ms, 3_000)));
    const cost = { cost_usd: random.int(1, 10) / 1_000, tokens: 20, llm_calls: 1, latency_ms: 50 };
    if (faults.hits("model_fails")) return { id, outcome: { ...cost, type: "failed", error: "no answer" } };
    return { id, outcome: { ...cost, type: "answered", value: random.chance(0.8) } };
  };

const circuitOf = (world: TriggerWorld, process: Process, destination: string): CircuitObject => {
  const { host, model } = world.circuit(destination);
  const { epoch } = host;
  return {
    allow: (ask) => host.call(process, epoch, "allow", (object) => model.asked(ask, object.allow(ask), world.clock())),
    report: (report) =>
      host.call(process, epoch, "report", (object) => {
        const verdict = object.report(report);
        model.told(report, world.clock());
        return verdict;
      }),
    show: () => host.call(process, epoch, "show", (object) => object.show()),
    reset: () => host.call(process, epoch, "reset", (object) => object.reset()),
  };
};

/** What a dispatcher needs, each await of it a place to die at. */
const portsOf = (world: TriggerWorld, process: Process, trigger: WatchedTrigger, key: string): DispatchPorts => {
  const { host } = trigger;
  const memory = world.random.chance(0.5) ? new CircuitMemory(() => process.now()) : null;
  return {
    now: () => process.now(),
    trigger: () => {
      const { epoch } = host;
      return {
        dispatch: (name, given) =>
          host.call(process, epoch, `dispatch by ${process.name}`, (object) => object.dispatch(name, given)),
        settle: (name, report) =>
          host.call(process, epoch, `settle by ${process.name}`, (object) => {
            const answer = object.settle(name, report);
            if (answer.ok) trigger.checker.settled(report);
            return answer;
          }),
      };
    },
    circuit: (destination) => {
      const stub = circuitOf(world, process, destination);
      if (memory === null) return stub;
      return {
        allow: (ask) => memory.allow(stub, destination, ask),
        report: (report) => memory.report(stub, destination, report),
      };
    },
    startRun: (call) => {
      trigger.expects(call);
      return startRun(world, process, key)(call);
    },
    perform: perform(world, process, trigger, key),
    askModel: askModel(world, process),
    cancelRun: async (runId) => {
      await process.sleep(world.latency());
      world.ledger.cancel(runId);
    },
    changed: ({ row, seq }) => world.listed(trigger.id, row, seq),
  };
};

/** Dispatches one event as the consumer of the queue does; `again` puts the message back. */
export const startDispatcher = (
  world: TriggerWorld,
  { trigger, key }: { readonly trigger: WatchedTrigger; readonly key: string },
  again: () => void,
): void => {
  world.counters.dispatchers += 1;
  const process = new Process(world, `dispatcher ${world.counters.dispatchers}`, true);
  dispatchEvent(portsOf(world, process, trigger, key), key)
    .catch((fault: unknown) => {
      if (fault instanceof Violation) return world.stray(fault);
      world.trace(`${process.name} stopped: ${fault instanceof Error ? fault.message : "?"}`);
      again();
    })
    .finally(() => world.mortals.delete(process));
};
