import {
  condition,
  defineWorkflow,
  fork,
  map,
  type NodeFields,
  person,
  sleep,
  stage,
  wait,
  type WorkflowDefinition,
} from "godwit/authoring";
import type { workflowNodeSchema } from "../../src/schema/graph.ts";
import * as z from "zod";
import { createTools } from "../../src/executor/tool-registry.ts";
import { functions } from "../../src/functions.ts";
import { reducers } from "../../src/reducers.ts";
import { tools } from "../../src/tools.ts";

// Compiled by `npm run check:code`, never run: each `@ts-expect-error` without an error below it is an error itself.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <_Claim extends true>(): void => {};

const known = { functions, tools, reducers };
const a = { mode: "llm" } as const;

// Every field that a node can have can be written; a field that is missing here is missing in `NodeFields`.
holds<Equal<Exclude<keyof z.input<typeof workflowNodeSchema>, keyof NodeFields>, never>>();

// Literal types are kept.
const kept = defineWorkflow({
  id: "kept",
  entry: "a",
  nodes: { a: stage.llm({ prompt: "p", next: "b" }), b: { kind: "own", http: { url: "u" }, next: { any: "a" } } },
});
holds<Equal<typeof kept.id, "kept">>();
holds<Equal<typeof kept.entry, "a">>();
holds<Equal<keyof typeof kept.nodes, "a" | "b">>();
holds<Equal<(typeof kept.nodes.a)["mode"], "llm">>();
holds<Equal<(typeof kept.edges)[number]["from"], "a" | "b">>();
holds<Equal<"next" extends keyof typeof kept.nodes.a ? true : false, false>>();
holds<Equal<typeof functions.names, readonly string[] & readonly "echo"[]>>();

// What is only known at run time is left to the server.
const given: WorkflowDefinition = { id: "x", entry: String(1), nodes: {} };
defineWorkflow(given);
defineWorkflow({ id: "x", entry: String(1), nodes: { a }, edges: [{ from: String(2), to: "a" }] });

// The entry and both ends of an edge are nodes.
defineWorkflow({
  id: "x",
  entry: "a",
  nodes: { a },
  edges: [{ from: "a", to: "a", branch: "failed", label: "again" }],
});
// @ts-expect-error
defineWorkflow({ id: "x", entry: "b", nodes: { a } });
// @ts-expect-error
defineWorkflow({ id: "x", entry: "a", nodes: { a }, edges: [{ from: "b", to: "a" }] });
// @ts-expect-error
defineWorkflow({ id: "x", entry: "a", nodes: { a }, edges: [{ from: "a", to: "b" }] });
// @ts-expect-error
defineWorkflow({ id: "x", entry: "a", nodes: { a: { mode: "llm", next: "b" } } });
// @ts-expect-error
defineWorkflow({ id: "x", entry: "a", nodes: { a: { mode: "llm", next: ["a", "b"] } } });
// @ts-expect-error
defineWorkflow({ id: "x", entry: "a", nodes: { a: { mode: "llm", next: { success: ["b"] } } } });
// @ts-expect-error
defineWorkflow({ id: "x", entry: "a", nodes: { a }, edges: [{ from: "a", to: "a", brunch: "success" }] });

// A node gives only the branches of its kind and mode.
const one = { id: "x", entry: "a" } as const;
const back = <const Branch extends string | null>(branch: Branch) => [{ from: "a", to: "a", branch }] as const;
defineWorkflow({
  ...one,
  nodes: { a },
  edges: [...back("success"), ...back("failed"), ...back("error"), ...back(null)],
});
defineWorkflow({ ...one, nodes: { a: { kind: "verify" } }, edges: [...back("passed"), ...back("failed")] });
defineWorkflow({ ...one, nodes: { a: { kind: "map" } }, edges: [...back("mapped"), ...back("failed")] });
defineWorkflow({ ...one, nodes: { a: { kind: "escalation" } }, edges: back("escalated") });
defineWorkflow({ ...one, nodes: { a: { kind: "reduce" } }, edges: back("reduced") });
defineWorkflow({ ...one, nodes: { a: { kind: "reduce", function: "f" } }, edges: back("error") });
defineWorkflow({ ...one, nodes: { a: { kind: "fork" } }, edges: back("fork") });
defineWorkflow({ ...one, nodes: { a: { kind: "join" } }, edges: back("join") });
defineWorkflow({ ...one, nodes: { a: { kind: "subagent" } }, edges: [...back("success"), ...back("error")] });
defineWorkflow({ ...one, nodes: { a: wait({ message: "m" }) }, edges: back("timeout") });
const approval = person({ kind: "approval", action: "deploy", reviewers: ["ann"] });
defineWorkflow({ ...one, nodes: { a: approval }, edges: [...back("approved"), ...back("denied"), ...back("timeout")] });
defineWorkflow({ ...one, nodes: { a: person({ kind: "question", prompt: "?" }) }, edges: back("success") });
defineWorkflow({
  ...one,
  nodes: { a: person({ kind: "escalation", role: "r", reason: "w" }) },
  edges: back("accepted"),
});
// @ts-expect-error -- an approval is no success
defineWorkflow({ ...one, nodes: { a: approval }, edges: back("success") });
// @ts-expect-error -- a question is not denied
defineWorkflow({ ...one, nodes: { a: person({ kind: "question", prompt: "?" }) }, edges: back("denied") });
// @ts-expect-error -- an escalation has no time
person({ kind: "escalation", role: "r", reason: "w", timeout_ms: 5 });
const released = person({ kind: "dual_control", n: 1, m: 2, handler: "echo" });
defineWorkflow({ ...one, nodes: { a: released }, edges: back("approved") }, known);
// @ts-expect-error -- no such function
defineWorkflow({ ...one, nodes: { a: person({ kind: "dual_control", n: 1, m: 2, handler: "gone" }) } }, known);
defineWorkflow({ ...one, nodes: { a: { kind: "own" } }, edges: back("whatever") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a }, edges: back("passed") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a }, edges: back("timeout") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "verify" } }, edges: back("success") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "map" } }, edges: back("success") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "escalation" } }, edges: back("success") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "reduce" } }, edges: back("error") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "fork" } }, edges: back("join") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "join" } }, edges: back("fork") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "subagent" } }, edges: back("mapped") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { mode: "llm", next: { passed: "a" } } } });

// A condition leads on for both answers, by edges, by `next` or by one of each.
defineWorkflow({ ...one, nodes: { a: condition({}, { next: { true: "a", false: "a" } }) } });
defineWorkflow({ ...one, nodes: { a: condition({}) }, edges: [...back("true"), ...back("false")] });
defineWorkflow({ ...one, nodes: { a: condition({}, { next: { true: "a" } }) }, edges: back("false") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: condition({}) } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: condition({}, { next: { true: "a" } }) } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "condition" } }, edges: back("false") });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "condition" } }, edges: back("passed") });

// Fields belong to the kind and the mode.
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "fork", http: { url: "u" } } } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { mode: "llm", http: { url: "u" } } } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { mode: "http", http: { url: "u" }, prompt: "p" } } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: stage.llm({ prompt: "p", map_policy: { items: [] } }) } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: fork({ retry_policy: { max_attempts: 2 } }) } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { mode: "llm", promt: "p" } } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { mode: "lllm" } } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { mode: "http" } } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { mode: "sleep" } } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { mode: "llm", model_policy: { max_tokens: 5, modle: "m" } } } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { mode: "llm", model_policy: { max_tokens: "5" } } } });
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a }, entri: "a" });
// @ts-expect-error
stage.http({});
// @ts-expect-error
stage.function({ input: 1 });

// A stage sleeps for a time or until a moment.
sleep({ ms: 5 });
sleep({ until: "2030-01-01T00:00:00Z" });
// @ts-expect-error
sleep({ ms: 5, until: "2030-01-01T00:00:00Z" });
// @ts-expect-error
sleep({});
// @ts-expect-error
wait({ timeout_ms: 5 });

// Names are registered; without a registry they are not checked.
defineWorkflow({ ...one, nodes: { a: stage.function({ function: "echo" }) } }, known);
defineWorkflow({ ...one, nodes: { a: stage.function({ function: "anything" }) } }, { tools });
defineWorkflow({ ...one, nodes: { a: { kind: "reduce", function: "numbered" } } }, known);
defineWorkflow({ ...one, nodes: { a: map({ mode: "function", function: "echo" }) } }, known);
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: stage.function({ function: "ecko" }) } }, known);
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: map({ mode: "function", function: "ecko" }) } }, known);
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { kind: "reduce", function: "echo" } } }, known);

// Tools are registered, or say themselves who executes them.
const described = { name: "own", description: "d", parameters: { type: "object" } } as const;
const own = [
  { name: "find_order" },
  { ...described, http: { method: "GET", url: "u" } },
  { ...described, client: true },
  { mcp: { url: "u", tools: ["t"] } },
] as const;
defineWorkflow({ ...one, nodes: { a: stage.agent({ tools: own, output_schema: { type: "object" } }) } }, known);
defineWorkflow({ ...one, nodes: { a: { mode: "agent", tools: { name: "find_order" } } } }, known);
defineWorkflow(
  { ...one, nodes: { a: { mode: "agent", tools: [{ name: "find_order", description: "d", defer_loading: true }] } } },
  known,
);
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: stage.agent({ tools: [{ name: "find_ordr" }] }) } }, known);
// @ts-expect-error
defineWorkflow({ ...one, nodes: { a: { mode: "agent", tools: { name: "find_ordr" } } } }, known);
// @ts-expect-error
stage.agent({ tools: [{ name: "own", http: { method: "GET", url: "u" } }] });
// @ts-expect-error
stage.llm({ retry_policy: { max_attempts: 2, retry_on: ["always"] } });
stage.llm({ retry_policy: { max_attempts: 2, jitter: 0.5, retry_on: ["timeout"], feedback: { max_chars: 9 } } });

// A tool's arguments have the type of their schema.
const amount = z.object({ cents: z.coerce.number(), note: z.string().optional() });
const typed = createTools({
  pay: {
    description: "d",
    parameters: amount,
    execute: (args) => {
      holds<Equal<typeof args, z.output<typeof amount>>>();
      return args.cents;
    },
  },
  // @ts-expect-error
  lose: { description: "d", parameters: amount, execute: (args) => args.dollars },
  plain: { description: "d", parameters: { type: "object" }, execute: (args) => args },
  // @ts-expect-error
  date: { description: "d", parameters: { type: "object" }, execute: () => new Date() },
});
holds<Equal<(typeof typed.names)[number], "pay" | "lose" | "plain" | "date">>();
