import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { SubAgentSpec } from "./state.ts";

/** How the agent loop of a sub-agent ended. */
export interface LoopEnd {
  /** The result of its stage; null where that failed. */
  readonly result: JsonObject | null;
  readonly error: string | null;
  readonly transcript: Json;
}

const STRUCTURED = ["output_format", "json_schema", "output_schema"] as const;

const wantsStructured = ({ returns_schema: schema, options }: SubAgentSpec): boolean =>
  schema !== null || options["response_format"] === "json" || STRUCTURED.some((key) => options[key] != null);

const entries = (transcript: Json, key: string): readonly JsonObject[] => {
  const list = isObject(transcript) ? transcript[key] : undefined;
  return Array.isArray(list) ? list.filter(isObject) : [];
};

const lastAssistantText = (transcript: Json): string | null => {
  const said = entries(transcript, "messages").filter(({ role }) => role === "assistant");
  const text = said.findLast(({ content }) => typeof content === "string" && content !== "")?.["content"];
  return typeof text === "string" ? text : null;
};

const filled = (value: Json | undefined): string | null => (typeof value === "string" && value !== "" ? value : null);

interface Candidate {
  readonly text: string;
  readonly value: Json;
}

/** The JSON in a text: the text itself, or what stands in its first fenced block or between its outermost braces. */
const jsonIn = (text: string): Candidate | null => {
  const fenced = /```(?:json)?\s*([\s\S]*?)```/.exec(text)?.[1];
  const outer = /[{[][\s\S]*[}\]]/.exec(text)?.[0];
  for (const candidate of [text, fenced, outer]) {
    if (candidate === undefined) continue;
    try {
      return { text: candidate.trim(), value: JSON.parse(candidate) as Json };
    } catch {
      // Not this one.
    }
  }
  return null;
};

/** The first of some texts with JSON in it. */
const firstJson = (texts: readonly (string | null)[]): Candidate | null => {
  for (const text of texts) {
    const found = text === null ? null : jsonIn(text);
    if (found !== null) return found;
  }
  return null;
};

const tokensOf = (result: JsonObject | null): number => {
  const usage = isObject(result?.["usage"]) ? result["usage"] : {};
  const { input_tokens: input, output_tokens: output } = usage;
  return (typeof input === "number" ? input : 0) + (typeof output === "number" ? output : 0);
};

/** What a policy refused last, where the newest event of the conversation is such a refusal (spec/workers 15.3). */
const refusal = (transcript: Json): JsonObject | null => {
  const text = entries(transcript, "messages").findLast(({ role }) => role === "tool_result" || role === "tool")?.[
    "content"
  ];
  const found = typeof text === "string" ? jsonIn(text)?.value : undefined;
  if (!isObject(found) || found["error"] !== "permission_denied") return null;
  const { tool = null, reason } = found;
  return { category: "permission_denied", message: filled(reason) ?? "permission denied", tool };
};

const categoryIn = (error: string): JsonObject => {
  const [, category = "runtime", message = error] = /^Error \[([a-z_]+)\]: ([\s\S]*)$/.exec(error) ?? [];
  return { category, message };
};

/** What a loop that went well says: its summary and its data (spec/workers 15.3). */
const answerOf = (
  spec: SubAgentSpec,
  { result, transcript }: LoopEnd,
): { readonly summary: string; readonly data: Json } => {
  const visible = filled(result?.["visible_text"]) ?? filled(result?.["text"]);
  const told = filled(isObject(transcript) ? transcript["summary"] : null);
  const said = lastAssistantText(transcript);
  const json = wantsStructured(spec) ? firstJson([visible, said, told]) : null;
  return {
    summary: json?.text ?? visible ?? said ?? told ?? "",
    data: result?.["data"] ?? json?.value ?? null,
  };
};

/**
 * What a sub-agent answers: the call never fails, a failure is told in the envelope (spec/workers 15.3). Whether `data` has
 * the shape that was asked for the stage has checked.
 */
export const subAgentEnvelope = (spec: SubAgentSpec, end: LoopEnd): JsonObject => {
  const { result, error, transcript } = end;
  const tokens_used = tokensOf(result);
  const budget = spec.options["token_budget"];
  const artifacts = error === null ? entries(transcript, "assets") : [];
  const failure = error === null ? refusal(transcript) : categoryIn(error);
  const { summary, data } = error === null ? answerOf(spec, end) : { summary: "", data: null };
  return {
    ok: failure === null,
    summary,
    artifacts,
    evidence_added: artifacts.length,
    tokens_used,
    budget_exceeded: typeof budget === "number" && budget >= 0 && tokens_used >= budget,
    data,
    error: failure,
    session_id: spec.session_id,
    transcript,
  };
};
