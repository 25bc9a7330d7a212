import type * as z from "zod";
import type { Json, JsonObject } from "../lib/json.ts";
import type { StageErrorCategory } from "../schema/error-category.ts";
import type { nodeHttpSchema } from "../schema/graph.ts";
import type {
  autoCompactPolicySchema,
  branchSemanticsSchema,
  capabilityPolicySchema,
  contextPolicySchema,
  escalationPolicySchema,
  joinPolicySchema,
  mapPolicySchema,
  modelPolicySchema,
  reducePolicySchema,
  retryPolicySchema,
  stageContractSchema,
  toolApprovalPolicySchema,
} from "../schema/policy.ts";
import type { toolHooksSchema } from "../schema/tool-hook.ts";
import type { DeepReadonly } from "../lib/deep-readonly.ts";
import type { Tools } from "./tool-entry.ts";

type Input<Schema extends z.ZodType> = DeepReadonly<z.input<Schema>>;

/** Model routing and agent loop settings (spec/workflow 1.4). */
export interface ModelPolicyInput extends Input<typeof modelPolicySchema> {}

/** When and how a transcript is compacted (spec/workflow 1.5). */
export interface AutoCompactInput extends Input<typeof autoCompactPolicySchema> {}

/** Which artifacts a node sees (spec/workflow 1.6). */
export interface ContextPolicyInput extends Input<typeof contextPolicySchema> {}

/** How often a failed call is tried again (spec/workflow 1.7). */
export interface RetryPolicyInput extends Input<typeof retryPolicySchema> {
  /** From 0 to 1: how much of the wait is left to chance. */
  readonly jitter?: number;
  /** Only failures of these categories. */
  readonly retry_on?: readonly StageErrorCategory[];
  /** Tell the next attempt why the one before it failed. */
  readonly feedback?: boolean | { readonly max_chars?: number };
}

/** What a node takes or gives (spec/workflow 1.8). */
export interface StageContractInput extends Input<typeof stageContractSchema> {}

/** Names for branches; kept for parity, never consulted (spec/workflow 1.9). */
export interface BranchSemanticsInput extends Input<typeof branchSemanticsSchema> {}

/** What a map node iterates over (spec/workflow 1.10). */
export interface MapPolicyInput extends Input<typeof mapPolicySchema> {}

/** How many inputs a join, or branches a map, waits for (spec/workflow 1.10). */
export interface JoinPolicyInput extends Input<typeof joinPolicySchema> {}

/** How a reduce node joins texts (spec/workflow 1.10). */
export interface ReducePolicyInput extends Input<typeof reducePolicySchema> {}

/** Whom an escalation addresses (spec/workflow 1.10). */
export interface EscalationPolicyInput extends Input<typeof escalationPolicySchema> {}

/** What a node may use (spec/workflow 1.11). */
export interface CapabilityPolicyInput extends Input<typeof capabilityPolicySchema> {}

/** Which tool calls are approved, refused or asked about (spec/workflow 1.12). */
export interface ApprovalPolicyInput extends Input<typeof toolApprovalPolicySchema> {}

/** The call of an `http` stage; texts may hold templates. */
export interface HttpInput extends Input<typeof nodeHttpSchema> {
  readonly url: string;
}

/** What a verification looks for (spec/workflow 7). */
export interface VerifyInput {
  readonly command?: string | null;
  readonly assert_text?: string | null;
  readonly expect_text?: string | null;
  readonly expect_status?: number | null;
  readonly summary?: string | null;
  readonly contract?: JsonObject;
  readonly contract_path?: string | null;
  readonly verification_contract_path?: string | null;
  readonly required_identifiers?: readonly string[] | string;
  readonly identifiers?: readonly string[] | string;
  readonly required_paths?: readonly string[] | string;
  readonly paths?: readonly string[] | string;
  readonly required_text?: readonly string[] | string;
  readonly exact_text?: readonly string[] | string;
  readonly required_strings?: readonly string[] | string;
  readonly notes?: readonly string[] | string;
  readonly checks?: readonly JsonObject[];
}

/** How long a `sleep` stage sleeps: for a time, or until a moment in RFC 3339. */
export type SleepInput =
  | { readonly ms: number; readonly until?: never }
  | { readonly until: string; readonly ms?: never };

/** The message a `wait` stage waits for; without a limit it waits for ever. */
export interface WaitInput {
  readonly message: string;
  readonly timeout_ms?: number;
}

/** How long people have to answer, in milliseconds; a day unless given. */
interface Patience {
  readonly timeout_ms?: number;
}

/** A question; its answer is the stage's data (spec/workers 24.3). */
export interface QuestionInput extends Patience {
  readonly kind: "question";
  readonly prompt: string;
  /** A JSON schema that the answer fits. */
  readonly schema?: JsonObject;
  /** What it is when nobody answers in time; an answer is brought into its type. */
  readonly default?: Json;
}

/** Something that people approve or deny (spec/workers 24.4). */
export interface ApprovalInput extends Patience {
  readonly kind: "approval";
  readonly action: string;
  readonly args?: Json;
  readonly detail?: Json;
  /** How many have to approve; one unless given. */
  readonly quorum?: number;
  /** Who may answer; anybody unless given. */
  readonly reviewers?: readonly string[];
  readonly principal?: string;
  readonly evidence_refs?: readonly Json[];
  readonly undo_metadata?: Json;
  readonly capabilities_requested?: readonly string[];
}

/** A registered function that runs once n of m people have released it (spec/workers 24.6). */
export interface DualControlInput extends Patience {
  readonly kind: "dual_control";
  readonly n: number;
  readonly m: number;
  readonly handler: string;
  /** What the function is called with. */
  readonly input?: Json;
  readonly action?: string;
  readonly approvers?: readonly string[];
  readonly detail?: Json;
}

/** Something that a person of a role takes over; it waits for ever (spec/workers 24.7). */
export interface EscalateInput {
  readonly kind: "escalation";
  readonly role: string;
  readonly reason: string;
  readonly timeout_ms?: never;
}

/** What a `person` stage asks people; its values may hold templates. */
export type PersonInput = QuestionInput | ApprovalInput | DualControlInput | EscalateInput;

/** Where a node leads: node ids, for all branches or for each; `default` stands for edges without a branch. */
export type Next = string | readonly string[] | { readonly [branch: string]: string | readonly string[] };

/** Every field that some node has (spec/workflow 1.3); which of them belong to a node follows from its kind and mode. */
export interface NodeFields {
  readonly id?: string | null;
  readonly kind?: string;
  readonly mode?: string | null;
  readonly prompt?: string | null;
  readonly system?: string | null;
  readonly task_label?: string | null;
  readonly done_sentinel?: string | null;
  readonly tools?: Tools;
  readonly model_policy?: ModelPolicyInput;
  readonly auto_compact?: AutoCompactInput;
  readonly output_visibility?: string | null;
  readonly context_policy?: ContextPolicyInput;
  readonly retry_policy?: RetryPolicyInput;
  readonly capability_policy?: CapabilityPolicyInput;
  readonly approval_policy?: ApprovalPolicyInput;
  readonly input_contract?: StageContractInput;
  readonly output_contract?: StageContractInput;
  readonly branch_semantics?: BranchSemanticsInput;
  readonly map_policy?: MapPolicyInput;
  readonly join_policy?: JoinPolicyInput;
  readonly reduce_policy?: ReducePolicyInput;
  readonly escalation_policy?: EscalationPolicyInput;
  readonly verify?: VerifyInput | null;
  readonly exit_when_verified?: boolean;
  readonly metadata?: JsonObject;
  readonly context_assembler?: Json;
  readonly tool_hooks?: Input<typeof toolHooksSchema>;
  readonly http?: HttpInput | null;
  /** The name of a registered function, or of a registered reducer on a `reduce` node. */
  readonly function?: string | null;
  readonly input?: Json;
  readonly timeout_ms?: number | null;
  /** What the provider `scripted` answers. */
  readonly script?: Json;
  readonly sleep?: SleepInput;
  readonly wait?: WaitInput;
  readonly person?: PersonInput;
  /** A JSON schema that the answer of an agent fits. */
  readonly output_schema?: JsonObject;
  /** Edges of this node, written beside it; they become edges of the document. */
  readonly next?: Next;
}
