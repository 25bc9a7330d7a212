import type { Admission } from "../../src/engine/trigger/admission.ts";
import { handlerKindOf, targetUriOf } from "../../src/engine/trigger/definition-handler.ts";
import type { EventRecord } from "../../src/engine/trigger/event.ts";
import { type LogRecord, lifecycleRecord } from "../../src/engine/trigger/log.ts";
import type { Verdict } from "../../src/engine/trigger/match.ts";
import {
  approvalRequest,
  type AutonomyState,
  autonomyVerdict,
  INITIAL_AUTONOMY,
} from "../../src/engine/trigger/predicate/autonomy.ts";
import { judgeExpression } from "../../src/engine/trigger/predicate/expressions.ts";
import { autonomyLimits, autonomyTierOf, predicateLimits } from "../../src/engine/trigger/predicate/limits.ts";
import {
  afterPredicate,
  beforePredicate,
  INITIAL_PREDICATE,
  type PredicateOutcome,
  type PredicateState,
} from "../../src/engine/trigger/predicate/predicate.ts";
import type { PredicateRequest, PredicateVerdict } from "../../src/engine/trigger/predicate/records.ts";
import { bindingKey } from "../../src/engine/trigger/view.ts";
import { rfc3339 } from "../../src/lib/time.ts";
import type { ModelPredicate } from "../../src/schema/trigger-rules.ts";
import type { TriggerEvent } from "../../src/schema/trigger.ts";
import type { Store } from "../storage/store.ts";
import { loadControl, storeControl } from "./control-rows.ts";

/** What a model is asked about an event; the answer is brought back under the same id. */
export interface Question {
  readonly id: string;
  readonly model: ModelPredicate;
  readonly event: TriggerEvent;
  readonly timeout_ms: number;
  readonly has_cost_limit: boolean;
}

/** How asking a model went. */
export interface Judgement {
  readonly id: string;
  readonly outcome: PredicateOutcome;
}

/** What the predicate and the autonomy budget say: nothing against it, or what becomes of the event. */
export type DeskAnswer =
  | { readonly type: "passed"; readonly verdicts: readonly Verdict[] }
  | { readonly type: "ask"; readonly question: Question }
  /** Somebody is asking the model just now. */
  | { readonly type: "asked" }
  | Exclude<Admission, { readonly type: "admitted" | "parked" }>;

interface DeskRequest {
  readonly key: string;
  readonly now: number;
  readonly judgement?: Judgement | undefined;
}

/** Longer than a model may take: nobody else asks it about the same event meanwhile. */
const ASK_SLACK_MS = 15_000;

const MAX_NAME_LENGTH = 200;

const hasPassed = ({ verdicts }: EventRecord, stage: Verdict["stage"]): boolean =>
  verdicts.some((one) => one.stage === stage && one.outcome === "passed");

/** Predicate and autonomy budget of one trigger (spec/triggers 9), with their rows. */
export class PredicateDesk {
  readonly #store: Store;
  #predicate: PredicateState | null = null;
  #autonomy: AutonomyState | null = null;
  readonly #asking = new Map<string, number>();
  #dirty = new Set<"predicate" | "autonomy">();
  #log: LogRecord[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** Whether an event passes predicate and autonomy budget; what it has passed before is not asked again. */
  judge(record: EventRecord, request: DeskRequest): DeskAnswer {
    const judged = this.#judgePredicate(record, request);
    if (judged.type !== "passed") return judged;
    const budget = this.#judgeAutonomy(record, request.now, judged.verdicts);
    return budget ?? judged;
  }

  /** Writes what has changed, and gives the records of what was judged. */
  flush(): readonly LogRecord[] {
    if (this.#dirty.has("predicate")) storeControl(this.#store, "predicate", this.#predicate);
    if (this.#dirty.has("autonomy")) storeControl(this.#store, "autonomy", this.#autonomy);
    this.#dirty = new Set();
    const log = this.#log;
    this.#log = [];
    return log;
  }

  #judgePredicate(record: EventRecord, request: DeskRequest): DeskAnswer {
    const { when } = record.binding.definition;
    if (when === undefined || hasPassed(record, "predicate")) return { type: "passed", verdicts: [] };
    const asked = { ...requestOf(record), reservation_id: request.key };
    if (typeof when === "string")
      return this.#concluded(record, judgeExpression(when, record.event, asked), request.now);
    return this.#judgeModel(record, { ...request, asked, model: when.model });
  }

  #judgeModel(
    record: EventRecord,
    {
      key,
      now,
      judgement,
      asked,
      model,
    }: DeskRequest & { readonly asked: PredicateRequest; readonly model: ModelPredicate },
  ): DeskAnswer {
    this.#predicate ??= loadControl<PredicateState>(this.#store, "predicate") ?? INITIAL_PREDICATE;
    const books = { state: this.#predicate, shared: null };
    if (judgement !== undefined && judgement.id === key) {
      const after = afterPredicate(books, { request: asked, outcome: judgement.outcome }, now);
      this.#remember(after.books.state);
      this.#asking.delete(key);
      return this.#concluded(record, after.result, now);
    }
    if ((this.#asking.get(key) ?? 0) > now) return { type: "asked" };
    const before = beforePredicate(books, asked, now);
    if (before.result.type === "verdict") {
      this.#predicate = before.books.state;
      return this.#concluded(record, before.result.verdict, now);
    }
    const { timeout_ms } = before.result;
    // What is put aside outlives the instance: the model may be asked by now.
    this.#remember(before.books.state);
    this.#asking.set(key, now + timeout_ms + ASK_SLACK_MS);
    const { max_cost_usd, hourly_cost_usd, daily_cost_usd } = asked.limits;
    const has_cost_limit = [max_cost_usd, hourly_cost_usd, daily_cost_usd].some((limit) => limit !== null);
    return { type: "ask", question: { id: key, model, event: record.event, timeout_ms, has_cost_limit } };
  }

  #remember(state: PredicateState): void {
    this.#predicate = state;
    this.#dirty.add("predicate");
  }

  /** What a verdict means for the event (spec/triggers 8, step 6). */
  #concluded(record: EventRecord, verdict: PredicateVerdict, now: number): DeskAnswer {
    const { records, action, reason, retry_at } = verdict;
    this.#log.push(...records.map((one) => lifecycleRecord(record, one, rfc3339(now))));
    const predicate = predicateName(record);
    const detail = { predicate, reason };
    switch (action) {
      case "pass":
        return {
          type: "passed",
          verdicts: [{ stage: "predicate", outcome: "passed", reason: reason ?? "it is true" }],
        };
      case "skip": {
        const verdicts = [{ stage: "predicate", outcome: "skipped", reason: reason ?? "it is false" }] as const;
        return { type: "skipped", stage: "predicate", verdicts, detail, result: { skipped: true, ...detail } };
      }
      case "dead_letter":
        return { type: "exhausted", verdicts: [], reason: reason ?? "budget_exceeded" };
      case "defer": {
        const verdicts = [{ stage: "predicate", outcome: "held", reason: reason ?? "budget_exceeded" }] as const;
        const until = retry_at === null ? now : Date.parse(retry_at);
        return {
          type: "deferred",
          verdicts,
          reason: reason ?? "budget_exceeded",
          until,
          result: { deferred: true, ...detail },
        };
      }
    }
  }

  #judgeAutonomy(record: EventRecord, now: number, verdicts: readonly Verdict[]): DeskAnswer | null {
    const { definition } = record.binding;
    const limits = autonomyLimits(definition);
    const isLimited = limits.per_hour !== null || limits.per_day !== null;
    if (!isLimited || autonomyTierOf(definition) !== "act_auto" || hasPassed(record, "autonomy")) return null;
    if (record.approval?.decision?.approved === true) return null;
    this.#autonomy ??= loadControl<AutonomyState>(this.#store, "autonomy") ?? INITIAL_AUTONOMY;
    const { state, verdict } = autonomyVerdict(this.#autonomy, limits, now);
    if (verdict.type === "ok") {
      this.#autonomy = state;
      this.#dirty.add("autonomy");
      const passed = { stage: "autonomy", outcome: "passed", reason: "within the autonomy budget" } as const;
      return { type: "passed", verdicts: [...verdicts, passed] };
    }
    const { reason } = verdict;
    const dispatch = {
      trigger_id: record.binding.trigger_id,
      binding_key: bindingKey(record.binding),
      event_id: record.event.id,
      handler_kind: handlerKindOf(definition),
      target_uri: targetUriOf(definition),
      replay_of_event_id: record.replay?.event_id ?? null,
      limits,
    };
    const held = { stage: "autonomy", outcome: "held", reason } as const;
    return {
      type: "approval",
      verdicts: [...verdicts, held],
      needed: { reason, ...approvalRequest(dispatch, verdict) },
    };
  }
}

const requestOf = (record: EventRecord): Omit<PredicateRequest, "reservation_id"> => ({
  trigger_id: record.binding.trigger_id,
  event_id: record.event.id,
  replay_of_event_id: record.replay?.event_id ?? null,
  limits: predicateLimits(record.binding.definition),
});

const predicateName = ({ binding }: EventRecord): string => {
  const { when } = binding.definition;
  return (typeof when === "string" ? when : (when?.model.prompt ?? "")).slice(0, MAX_NAME_LENGTH);
};
