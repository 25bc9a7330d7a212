import type { JsonObject } from "../lib/json.ts";
import type { NodeFields, PersonInput, SleepInput, WaitInput } from "./node-fields.ts";
import type { FieldsOf, Mode, RequiredOf } from "./rules.ts";

// Builders of nodes: they write `kind` and `mode` and offer only the fields of both. Plain objects do as well.

type Offered<Kind, Name> = Exclude<FieldsOf<Kind, Name>, "kind" | "mode"> & keyof NodeFields;

type Fields<Kind, Name> = Pick<NodeFields, Offered<Kind, Name>> & {
  readonly [Key in RequiredOf<Kind, Name> & keyof NodeFields]: NonNullable<NodeFields[Key]>;
};

const inMode =
  <const Name extends Mode>(mode: Name) =>
  <const Given extends Fields<"stage", Name>>(fields: Given) =>
    ({ kind: "stage", mode, ...fields }) as { readonly kind: "stage"; readonly mode: Name } & Given;

interface Builder<Kind extends string> {
  (): { readonly kind: Kind };
  <const Given extends Fields<Kind, "default">>(fields: Given): { readonly kind: Kind } & Given;
}

const ofKind = <const Kind extends string>(kind: Kind): Builder<Kind> => {
  const build = (fields?: object): object => ({ kind, ...fields });
  return build as Builder<Kind>;
};

/** Stages by their mode (spec/workflow 6.10). */
export const stage = {
  /** One call of a model. */
  llm: inMode("llm"),
  /** A model that calls tools until it is done. */
  agent: inMode("agent"),
  /** One HTTP call. */
  http: inMode("http"),
  /** One call of a function that is registered in code. */
  function: inMode("function"),
  /** Waits until a caller of the API completes it. */
  external: inMode("external"),
} as const;

/** Checks the text of the stage before, or runs a command; branches `passed` and `failed` (spec/workflow 7). */
export const verify = ofKind("verify");

/** Leads on along all its edges (spec/workflow 6.4). */
export const fork = ofKind("fork");

/** Waits for its edges as `join_policy` says (spec/workflow 5.2). */
export const join = ofKind("join");

/** Works on many items (spec/workflow 6.6). */
export const map = ofKind("map");

/** Puts texts together, or gives them to a registered reducer (spec/workflow 6.2). */
export const reduce = ofKind("reduce");

/** Hands a task to a worker (spec/workflow 11.6). */
export const subagent = ofKind("subagent");

/** Leaves a plan for people (spec/workflow 6.3). */
export const escalation = ofKind("escalation");

/** What a condition looks for in the artifacts it selected; without either it asks whether there are any (spec/workflow 6.1). */
export interface ConditionTest {
  readonly contains_text?: string;
  readonly artifact_kind?: string;
}

interface ConditionBuilder {
  <const Test extends ConditionTest & JsonObject>(test: Test): { readonly kind: "condition"; readonly metadata: Test };
  <const Test extends ConditionTest & JsonObject, const Given extends Omit<Fields<"condition", "default">, "metadata">>(
    test: Test,
    fields: Given,
  ): { readonly kind: "condition"; readonly metadata: Test } & Given;
}

const asked = (test: ConditionTest, fields?: object): object => ({ kind: "condition", ...fields, metadata: test });

/** Asks one question about artifacts; branches `true` and `false` (spec/workflow 6.1). */
export const condition = asked as ConditionBuilder;

/** A stage without a call: it has one setting, under the name of its mode. */
type Quiet<Name extends "sleep" | "wait" | "person", Setting> = {
  readonly kind: "stage";
  readonly mode: Name;
} & { readonly [Key in Name]: Setting };

interface QuietBuilder<Name extends "sleep" | "wait" | "person", Settings> {
  <const Setting extends Settings>(setting: Setting): Quiet<Name, Setting>;
  <const Setting extends Settings, const Given extends Omit<Fields<"stage", Name>, Name>>(
    setting: Setting,
    fields: Given,
  ): Quiet<Name, Setting> & Given;
}

const quiet = <const Name extends "sleep" | "wait" | "person", Settings>(mode: Name): QuietBuilder<Name, Settings> => {
  const build = (setting: Settings, fields?: object): object => ({ kind: "stage", mode, [mode]: setting, ...fields });
  return build as QuietBuilder<Name, Settings>;
};

/** Sleeps for a time or until a moment. */
export const sleep = quiet<"sleep", SleepInput>("sleep");

/** Waits for a message to the run; branch `timeout` where none came in time. */
export const wait = quiet<"wait", WaitInput>("wait");

/** Asks people: a question, an approval, dual control, an escalation; what they decide is the branch (spec/workers 24). */
export const person = quiet<"person", PersonInput>("person");
