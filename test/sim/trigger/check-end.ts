import { isFinal } from "../../../src/engine/trigger/evolve.ts";
import { loadFlow } from "../../../durable-objects/shell/flow-rows.ts";
import { loadControl } from "../../../durable-objects/shell/control-rows.ts";
import type { PredicateState } from "../../../src/engine/trigger/predicate/predicate.ts";
import { replayKey } from "../../../durable-objects/shell/keyed-events.ts";
import { parseDuration } from "../../../src/lib/duration.ts";
import { Violation } from "../violation.ts";
import type { SeenEvent } from "./checker.ts";
import type { WatchedTrigger } from "./watched-trigger.ts";

type Events = ReadonlyMap<string, SeenEvent>;

const checkOver = (trigger: WatchedTrigger, events: Events): void => {
  for (const { key, record } of events.values())
    if (!isFinal(record)) throw new Violation("liveness", `${trigger.id} ${key} is still ${record.status}`);
  const left = loadFlow(trigger.host.store).tickets;
  for (const { id, state } of left)
    throw new Violation("T8 permits", `${id} is over, and its ticket is still ${state}`);
};

const skippedFor = ({ record }: SeenEvent, reason: string): boolean =>
  record.status === "skipped" &&
  record.verdicts.some((one) => one.stage === "flow_control" && one.outcome === "skipped" && one.reason === reason);

const checkBatches = (events: Events): void => {
  const leaders = new Map<string, string>();
  for (const { key, record } of events.values())
    for (const member of record.batch ?? []) {
      if (leaders.has(member)) throw new Violation("T11 batch", `${member} was handled by two leaders`);
      leaders.set(member, key);
      const merged = events.get(member);
      if (member !== key && merged !== undefined && !skippedFor(merged, "batch_merged"))
        throw new Violation("T11 batch", `${member} is in a batch, and ${merged.record.status} by itself`);
    }
  for (const seen of events.values())
    if (skippedFor(seen, "batch_merged") && !leaders.has(seen.key))
      throw new Violation("T11 batch", `${seen.key} was merged, and no leader has it`);
};

/** Only where nothing else holds events back, and the clock never went back, do their times say who was the newest. */
const checkQuiet = ({ world }: WatchedTrigger, events: Events): void => {
  if (world.counters.ms_set_back > 0) return;
  const gates = new Map<
    string,
    { readonly key: string; readonly from: number; readonly to: number; readonly period: number }[]
  >();
  for (const { key, record, journal } of events.values()) {
    const { definition, version } = record.binding;
    const { debounce, rate_limit, throttle, singleton, concurrency } = definition;
    const parked = journal.find(({ type }) => type === "parked");
    const admitted = journal.find(({ type }) => type === "admitted");
    const isAlone = [rate_limit, throttle, singleton, concurrency].every((gate) => gate === undefined);
    if (debounce === undefined || !isAlone || parked === undefined) continue;
    const gate = `${version} ${String(record.event.provider_payload["key"])}`;
    const quiet = parseDuration(debounce.period);
    const period = quiet.ok ? quiet.value : 0;
    const to = admitted === undefined ? -Infinity : Date.parse(admitted.at);
    gates.set(gate, [...(gates.get(gate) ?? []), { key, from: Date.parse(parked.at), to, period }]);
  }
  for (const seen of gates.values())
    for (const { key, from, to, period } of seen)
      if ((to > from && to - from < period) || seen.some((other) => other.from > from && other.from < to))
        throw new Violation("T10 debounce", `${key} went on although a newer one came in its quiet period`);
};

const checkReplays = (events: Events): void => {
  for (const { key, record } of events.values()) {
    for (const summary of record.replays) {
      const replay = events.get(replayKey(key, summary.number))?.record;
      if (replay === undefined) throw new Violation("T14 dead letter", `replay ${summary.number} of ${key} is lost`);
      if (replay.status !== summary.status)
        throw new Violation(
          "T14 dead letter",
          `replay ${summary.number} of ${key} is ${replay.status}, its original says ${summary.status}`,
        );
      const went = summary.status === "dispatched" || summary.status === "skipped";
      if (went && record.dead_letter?.state === "pending" && record.replays.at(-1)?.number === summary.number) {
        const created = Date.parse(record.dead_letter.updated_at);
        if (created < Date.parse(summary.settled_at ?? summary.requested_at))
          throw new Violation("T14 dead letter", `that of ${key} is pending, although a replay went well`);
      }
    }
  }
};

/** Adds up what was decided without a person in each hour of the clock (T15). */
const checkAutonomy = ({ rules }: WatchedTrigger, events: Events): void => {
  const hours = new Map<string, number>();
  if (rules.per_hour === null) return;
  for (const { journal } of events.values())
    for (const entry of journal) {
      const { verdicts = [] } = entry as { readonly verdicts?: readonly { stage: string; outcome: string }[] };
      if (!verdicts.some(({ stage, outcome }) => stage === "autonomy" && outcome === "passed")) continue;
      const hour = entry.at.slice(0, 13);
      const count = (hours.get(hour) ?? 0) + 1;
      hours.set(hour, count);
      if (count > rules.per_hour)
        throw new Violation("T15 budget", `${count} events acted by themselves in ${hour}, of ${rules.per_hour}`);
    }
};

const checkCosts = ({ rules, host }: WatchedTrigger): void => {
  const state = loadControl<PredicateState>(host.store, "predicate");
  if (state === null || rules.hourly_micros === null) return;
  // One evaluation may be what the budget ends with.
  if (state.counter.hour_micros > rules.hourly_micros + rules.max_micros)
    throw new Violation("T15 budget", `the predicate cost ${state.counter.hour_micros} of ${rules.hourly_micros}`);
};

const checkRuns = ({ world, id }: WatchedTrigger, events: Events): void => {
  for (const { key, record } of events.values()) {
    const { attempts, dispatch_id, status } = record;
    const runs = dispatch_id === null ? [] : world.ledger.of(dispatch_id);
    const isFinished = runs.some(({ completion }) => completion === "finished");
    if (status === "dispatched" && isFinished && !runs.some((run) => run.status === "completed"))
      throw new Violation("T6 run", `${id} ${key} is dispatched, but no run of it was completed`);
    if (status === "dispatched" && attempts.length === 0)
      throw new Violation("T7 handler", `${id} ${key} is dispatched without an attempt`);
  }
};

/** What has to hold once nothing goes on any more (T1, T6, T8, T11, T14, T15). */
export const checkEnd = (trigger: WatchedTrigger, events: Events): void => {
  checkOver(trigger, events);
  checkBatches(events);
  checkQuiet(trigger, events);
  checkReplays(events);
  checkAutonomy(trigger, events);
  checkCosts(trigger);
  checkRuns(trigger, events);
};
