import type { LiveEvent } from "../../engine/observe/live.ts";
import type { LlmUsage } from "../../schema/plan.ts";
import { duration, money, type Paint } from "./paint.ts";

/** A stage as the demo shows it. */
export interface ShownStage {
  readonly stage_id: string;
  readonly node_id: string;
  /** The kind of the node, or how its stage is executed. */
  readonly what: string;
  readonly attempt: number;
  readonly branch: string | null;
  readonly status: string;
  readonly error: string | null;
  readonly started_at_ms: number;
  readonly took_ms: number;
  readonly usage: LlmUsage | null;
}

type Started = Pick<ShownStage, "stage_id" | "node_id" | "what" | "attempt" | "started_at_ms">;

/** What is known of a run from its events. */
export interface RunProgress {
  readonly stages: readonly ShownStage[];
  /** When the first stage was started. */
  readonly first_stage_at_ms: number | null;
  readonly status: string | null;
  readonly ended_at_ms: number | null;
  readonly error: string | null;
}

/** What an event brought: something to show, or nothing. */
export type Shown =
  | { readonly type: "started"; readonly stage: Started }
  | { readonly type: "finished"; readonly stage: ShownStage }
  | { readonly type: "retry"; readonly stage: Started; readonly error: string }
  | { readonly type: "nothing" };

const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** Folds the events of a run into what a person wants to see of them. */
export class ProgressReader {
  #running: Started | null = null;
  readonly #stages: ShownStage[] = [];
  #firstStage: number | null = null;
  #end: Pick<RunProgress, "status" | "ended_at_ms" | "error"> = { status: null, ended_at_ms: null, error: null };

  get progress(): RunProgress {
    return { stages: this.#stages, first_stage_at_ms: this.#firstStage, ...this.#end };
  }

  read(event: LiveEvent): Shown {
    const at = Date.parse(event.at);
    switch (event.type) {
      case "stage_prepared":
        return this.#started(event, at);
      case "attempt_started":
        if (this.#running === null) return { type: "nothing" };
        this.#running = { ...this.#running, attempt: Number(event.data["attempt"]) };
        return { type: "started", stage: this.#running };
      case "attempt_ended":
        if (this.#running === null) return { type: "nothing" };
        return { type: "retry", stage: this.#running, error: text(event.data["error"]) || text(event.data["reason"]) };
      case "stage_completed":
        return this.#finished(event, at);
      case "run_finalized":
        this.#end = { status: text(event.data["status"]), ended_at_ms: at, error: null };
        return { type: "nothing" };
      case "run_failed":
        this.#end = { status: "failed", ended_at_ms: at, error: text(event.data["error"]) };
        return { type: "nothing" };
      case "run_cancelled":
        this.#end = { status: "cancelled", ended_at_ms: at, error: text(event.data["reason"]) };
        return { type: "nothing" };
      default:
        return { type: "nothing" };
    }
  }

  #started({ data }: LiveEvent, at: number): Shown {
    this.#firstStage ??= at;
    const kind = text(data["kind"]);
    const what = kind === "stage" ? text(data["mode"]) : kind;
    const attempt = Number(data["attempt"]);
    const stage = {
      stage_id: text(data["stage_id"]),
      node_id: text(data["node_id"]),
      what,
      attempt,
      started_at_ms: at,
    };
    this.#running = stage;
    return { type: "started", stage };
  }

  #finished({ data }: LiveEvent, at: number): Shown {
    const running = this.#running;
    if (running === null) return { type: "nothing" };
    const stage: ShownStage = {
      ...running,
      branch: data["branch"] === null ? null : text(data["branch"]),
      status: text(data["status"]),
      error: data["error"] === null ? null : text(data["error"]),
      took_ms: Math.max(0, at - running.started_at_ms),
      usage: (data["usage"] ?? null) as LlmUsage | null,
    };
    this.#running = null;
    this.#stages.push(stage);
    return { type: "finished", stage };
  }
}

const NODE_WIDTH = 22;

/** Kinds that the engine executes by itself, in the same commit as the stage before them. */
const IMMEDIATE = new Set(["condition", "reduce", "fork", "join", "escalation"]);

const branchText = (paint: Paint, { branch, status }: ShownStage): string => {
  const shown = (branch ?? "-").padEnd(10);
  if (status === "failed") return paint("red", shown);
  return branch === "false" ? paint("yellow", shown) : paint("green", shown);
};

const usageText = (paint: Paint, usage: LlmUsage | null): string => {
  if (usage === null || usage.call_count === 0) return "";
  const [read, written] = [String(usage.input_tokens).padStart(5), String(usage.output_tokens).padStart(4)];
  return paint("dim", `${read} in ${written} out  ${money(usage.total_cost)}`);
};

/** The head of the table of stages. */
export const headLine = (paint: Paint): string =>
  paint(
    "dim",
    `${"at".padStart(10)}  ${"stage".padEnd(NODE_WIDTH)}${"how".padEnd(12)}${"branch".padEnd(10)}${"took".padStart(9)}   tokens         cost`,
  );

/** A stage that is being worked on. */
export const startedLine = (paint: Paint, stage: Started, origin: number): string => {
  const at = `+${duration(stage.started_at_ms - origin)}`.padStart(10);
  return `${paint("dim", at)}  ${stage.node_id.padEnd(NODE_WIDTH)}${paint("dim", stage.what.padEnd(12))}${paint("cyan", "working …")}`;
};

/** A stage that has ended. */
export const finishedLine = (paint: Paint, stage: ShownStage, origin: number): string => {
  const at = `+${duration(stage.started_at_ms - origin)}`.padStart(10);
  const attempt = stage.attempt > 1 ? paint("yellow", `  attempt ${stage.attempt}`) : "";
  const took = IMMEDIATE.has(stage.what) ? "".padStart(9) : duration(stage.took_ms).padStart(9);
  const failure = stage.error === null ? "" : `\n            ${paint("red", stage.error)}`;
  const cells = `${paint("dim", at)}  ${stage.node_id.padEnd(NODE_WIDTH)}${paint("dim", stage.what.padEnd(12))}${branchText(paint, stage)}`;
  return `${cells}${took}  ${usageText(paint, stage.usage)}${attempt}`.trimEnd() + failure;
};
