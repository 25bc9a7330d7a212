import {
  type HookedCall,
  type HookFunctions,
  postToolHooks,
  preToolHooks,
  type PreToolVerdict,
  type ToolHook,
} from "../../engine/policy/tool-hooks.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { flawOf, functionContext, thrownFailure } from "../function.ts";
import type { RunnerContext } from "../runner.ts";
import type { AgentLoop } from "./loop.ts";

type HookingLoop = Pick<AgentLoop, "plan" | "context" | "tool_hooks">;

/** A function that a hook names and whose answer is not there yet. */
interface Asked {
  readonly name: string;
  readonly payload: JsonObject;
}

const namesOf = (hooks: readonly ToolHook[]): readonly string[] =>
  hooks.flatMap(({ pre, post }) => [pre, post].filter((name) => typeof name === "string"));

/** Functions that hand out the answers there are, in the order of their calls, and note the first that is missing. */
const answering = (names: readonly string[], answers: readonly Json[]) => {
  let asked: Asked | null = null;
  let used = 0;
  const answer =
    (name: string) =>
    (payload: JsonObject): Json => {
      if (used < answers.length) return answers[used++] ?? null;
      asked ??= { name, payload };
      return null;
    };
  const functions: HookFunctions = Object.fromEntries(names.map((name) => [name, answer(name)]));
  return { functions, missing: (): Asked | null => asked };
};

const ask = async (
  { plan }: HookingLoop,
  { name, payload }: Asked,
  context: RunnerContext,
): Promise<Result<Json, string>> => {
  try {
    const answer: unknown = await context.functions.find(name)?.(payload, functionContext(plan, context));
    const flaw = flawOf(answer, "answer", 0);
    return flaw === undefined
      ? ok(answer as Json)
      : err(`tool hook '${name}' answered what JSON cannot carry: ${flaw}`);
  } catch (thrown) {
    context.signal.throwIfAborted();
    return err(thrownFailure(thrown, `tool hook '${name}'`).message);
  }
};

/**
 * Runs hooks whose functions may take their time. The hooks themselves are pure: they run with the answers there are, and
 * again from the beginning with each answer more.
 */
const hooked = async <Verdict>(
  loop: HookingLoop,
  run: (functions: HookFunctions) => Result<Verdict, string>,
): Promise<Result<Verdict, string>> => {
  const known = namesOf(loop.tool_hooks).filter((name) => loop.context.functions.find(name) !== undefined);
  const answers: Json[] = [];
  for (;;) {
    const { functions, missing } = answering(known, answers);
    const verdict = run(functions);
    const asked = missing();
    if (asked === null) return verdict;
    const answer = await ask(loop, asked, loop.context);
    if (!answer.ok) return answer;
    answers.push(answer.value);
  }
};

type Call = Pick<HookedCall, "tool" | "args">;

/** What the hooks before a call make of it (spec/workflow 17.1). */
export const beforeCall = async (loop: HookingLoop, call: Call): Promise<Result<PreToolVerdict, string>> =>
  loop.tool_hooks.length === 0
    ? ok({ decision: "allow", args: call.args })
    : hooked(loop, (functions) => preToolHooks({ ...call, hooks: loop.tool_hooks, functions }));

/** What the hooks after a call make of its result (spec/workflow 17.1). */
export const afterCall = async (loop: HookingLoop, call: Call, result: Json): Promise<Result<Json, string>> =>
  loop.tool_hooks.length === 0
    ? ok(result)
    : hooked(loop, (functions) => postToolHooks({ ...call, hooks: loop.tool_hooks, functions }, result));
