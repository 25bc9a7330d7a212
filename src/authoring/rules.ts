import type { NodeFields } from "./node-fields.ts";

// Which fields a node has and which branches it gives, by kind and mode (spec/workflow 1.3, 6, 6.8). Types only.

type Common =
  | "id"
  | "kind"
  | "next"
  | "metadata"
  | "context_policy"
  | "capability_policy"
  | "approval_policy"
  | "input_contract"
  | "output_contract"
  | "branch_semantics";

type Call = "mode" | "task_label" | "timeout_ms" | "retry_policy" | "verify" | "output_visibility" | "script";

type Llm = "prompt" | "system" | "tools" | "model_policy" | "auto_compact" | "context_assembler";

type Agent = Llm | "tool_hooks" | "done_sentinel" | "exit_when_verified" | "output_schema";

interface FieldsByMode {
  readonly llm: Llm;
  readonly agent: Agent;
  readonly http: "http";
  readonly function: "function" | "input";
  readonly command: "prompt" | "system";
  readonly external: Agent | "input";
  readonly sleep: "sleep";
  readonly wait: "wait";
  readonly person: "person";
}

interface FieldsByKind {
  readonly verify: "mode" | "task_label" | "timeout_ms" | "retry_policy" | "verify" | "output_visibility";
  readonly condition: never;
  readonly fork: never;
  readonly join: "join_policy";
  readonly reduce: "reduce_policy" | "function" | "timeout_ms" | "retry_policy";
  readonly escalation: "escalation_policy";
  readonly subagent: Call | Agent;
}

/** The modes of a stage. */
export type Mode = keyof FieldsByMode;

/** The kind of a node; one without a kind is a stage (spec/workflow 2, step 4). */
export type KindOf<Node> = Node extends { readonly kind: infer Kind extends string }
  ? Kind extends ""
    ? "stage"
    : Kind
  : "stage";

/** The mode of a node, or `default`, in which tools decide between a model call and an agent (spec/workflow 4.5). */
export type ModeOf<Node> = Node extends { readonly mode: infer Name extends string } ? Name : "default";

type ByMode<Name> = Name extends Mode ? FieldsByMode[Name] : Agent;

type ByKind<Kind, Name> = Kind extends keyof FieldsByKind
  ? FieldsByKind[Kind]
  : Kind extends "stage"
    ? Call | ByMode<Name>
    : Kind extends "map"
      ? Call | ByMode<Name> | "map_policy" | "join_policy"
      : keyof NodeFields;

/** The fields that a node of this kind and mode has; a kind of one's own has all. */
export type FieldsOf<Kind, Name> = Common | ByKind<Kind, Name>;

interface RequiredByMode {
  readonly http: "http";
  readonly function: "function";
  readonly sleep: "sleep";
  readonly wait: "wait";
  readonly person: "person";
}

/** The fields that a node of this kind and mode cannot do without. */
export type RequiredOf<Kind, Name> = Kind extends "stage" | "map"
  ? Name extends keyof RequiredByMode
    ? RequiredByMode[Name]
    : never
  : never;

interface BranchesByKind {
  readonly condition: "true" | "false";
  readonly verify: "passed" | "failed" | "error";
  readonly map: "mapped" | "failed" | "error";
  readonly escalation: "escalated";
  readonly fork: "fork";
  readonly join: "join";
  readonly subagent: "success" | "failed" | "error";
}

interface BranchesOfPeople {
  readonly question: "success" | "timeout";
  readonly approval: "approved" | "denied" | "timeout";
  readonly dual_control: "approved" | "denied" | "timeout";
  readonly escalation: "accepted";
}

/** The branches of a stage, by its mode; what people decide has branches of its own (spec/workers 24). */
type StageBranch<Node> =
  ModeOf<Node> extends "person"
    ?
        | "failed"
        | "error"
        | (Node extends { readonly person: { readonly kind: infer Kind extends keyof BranchesOfPeople } }
            ? BranchesOfPeople[Kind]
            : BranchesOfPeople[keyof BranchesOfPeople])
    : "success" | "failed" | "error" | (ModeOf<Node> extends "wait" ? "timeout" : never);

/** The branches a node can give; one of a kind of one's own gives any (spec/workflow 6, 6.8). */
export type BranchOf<Node> =
  KindOf<Node> extends keyof BranchesByKind
    ? BranchesByKind[KindOf<Node>]
    : KindOf<Node> extends "stage"
      ? StageBranch<Node>
      : KindOf<Node> extends "reduce"
        ? "reduced" | (Node extends { readonly function: string } ? "error" : never)
        : string;
