import { type Json, valueAt } from "../../lib/json.ts";
import { err, type Result } from "../../lib/result.ts";
import { fillTemplate, type SecretsInValues } from "../../lib/template.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import { MAX_JOINED_LENGTH } from "../node/joined-text.ts";
import type { UnitInput } from "./stage-work.ts";
import type { Run } from "./state.ts";

type Scope = (path: string) => Json | undefined;

/** What `{{path}}` placeholders of http and function stages can name. */
const scopeOf =
  (run: Run, { selected, task }: UnitInput): Scope =>
  (path) => {
    const [head = "", ...rest] = path.split(".");
    const tail = rest.join(".");
    const within = (value: Json | undefined): Json | undefined => (tail === "" ? value : valueAt(value, tail));
    if (head === "task") return within(task);
    if (head === "run_id") return within(run.run_id);
    if (head === "workflow_id") return within(run.workflow_id);
    if (head === "trigger_event") return within(run.trigger_event ?? undefined);
    if (head === "input") return within(withText(selected, selected.at(-1)) as unknown as Json | undefined);
    if (head === "nodes") return valueAt(outputOf(run, rest[0] ?? ""), rest.slice(1).join(".") || "text");
    return undefined;
  };

interface Artifacts {
  readonly length: number;
  at(index: number): ArtifactRecord | undefined;
}

const newest = (artifacts: Artifacts, fits: (artifact: ArtifactRecord) => boolean): ArtifactRecord | undefined => {
  for (let i = artifacts.length - 1; i >= 0; i--) {
    const artifact = artifacts.at(i);
    if (artifact !== undefined && fits(artifact)) return artifact;
  }
  return undefined;
};

/** An artifact; the report of a worker that has no text of its own (spec/workers 14.6) with that of the newest thing it made. */
const withText = (artifacts: Artifacts, artifact: ArtifactRecord | undefined): ArtifactRecord | undefined => {
  if (artifact?.kind !== "worker_result" || artifact.text !== null) return artifact;
  const worker = artifact.metadata["worker_id"];
  const made = newest(artifacts, ({ kind, metadata }) => kind !== "worker_result" && metadata["worker_id"] === worker);
  return made === undefined ? artifact : { ...artifact, text: made.text };
};

/** The newest artifact that a node produced. */
const outputOf = (run: Run, nodeId: string): Json | undefined =>
  withText(
    run.artifacts,
    newest(run.artifacts, ({ stage }) => stage === nodeId),
  ) as unknown as Json | undefined;

const lengthOf = (value: Json | undefined): number =>
  typeof value === "string" ? value.length : value === undefined ? 0 : JSON.stringify(value).length;

/** A scope that hands out values up to so much text, and none beyond. */
const metered = (scope: Scope): { readonly scope: Scope; readonly isUsedUp: () => boolean } => {
  let left = MAX_JOINED_LENGTH;
  return {
    scope: (path) => {
      const value = scope(path);
      left -= lengthOf(value);
      return left < 0 ? undefined : value;
    },
    isUsedUp: () => left < 0,
  };
};

/** A template of a stage with its values; the error says which path has none, or that they are too much text. */
export const filledTemplate = (
  run: Run,
  {
    node_id: nodeId,
    input,
    template,
  }: { readonly node_id: string; readonly input: UnitInput; readonly template: Json },
  secrets: SecretsInValues,
): Result<Json, string> => {
  const { scope, isUsedUp } = metered(scopeOf(run, input));
  const filled = fillTemplate(template, scope, secrets);
  if (filled.ok) return filled;
  if (isUsedUp())
    return err(`workflow stage ${nodeId}: its templates fill in more than ${MAX_JOINED_LENGTH} characters`);
  return err(
    `workflow stage ${nodeId}: {{${filled.error}}} names nothing; it can name task, run_id, workflow_id, trigger_event.*, input.*, nodes.<id>.*`,
  );
};
