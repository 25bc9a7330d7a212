import { canonicalJson, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { HelperKind } from "../../schema/artifact-helper.ts";
import { helperOptions, mergedData } from "./helper-options.ts";
import { unifiedDiff } from "./line-diff.ts";
import { type ArtifactContext, normalizeArtifact } from "./normalize.ts";

/** What a helper adds to the options it was given. */
interface Parts {
  readonly title: string;
  readonly text: string | null;
  readonly data: JsonObject;
  readonly metadata?: JsonObject;
  readonly lineage?: readonly string[];
}

/** Reads the arguments of a helper; the first one that is missing is remembered. */
class Arguments {
  missing: string | null = null;
  readonly #args: JsonObject;

  constructor(args: JsonObject) {
    this.#args = args;
  }

  #present(field: string): Json | undefined {
    const value = this.#args[field];
    if (value === undefined || value === null) this.missing ??= field;
    return value;
  }

  /** Any value. */
  value(field: string): Json {
    return this.#present(field) ?? null;
  }

  /** A text that must say something. */
  name(field: string): string {
    const value = textOf(this.#present(field) ?? "");
    if (value === "") this.missing ??= field;
    return value;
  }

  /** A text that may be empty, as files are. */
  body(field: string): string {
    return textOf(this.#present(field) ?? "");
  }

  /** A text, or null. */
  optional(field: string): string | null {
    const value = this.#args[field];
    return value === undefined || value === null || value === "" ? null : textOf(value);
  }
}

const textOf = (value: Json): string => (typeof value === "string" ? value : canonicalJson(value));

/** What refers to another artifact: it comes after the target and everything the target came from. */
const about = (target: ArtifactRecord, extra: JsonObject): Pick<Parts, "data" | "metadata" | "lineage"> => {
  const reference = { target_artifact_id: target.id, target_kind: target.kind, ...extra };
  return { data: reference, metadata: reference, lineage: [...target.lineage, target.id] };
};

const nameOf = (target: ArtifactRecord): string => target.title ?? target.id;

const ofTarget = (kind: HelperKind, target: ArtifactRecord, args: Arguments): Parts => {
  const { data, metadata = {}, lineage = [] } = about(target, {});
  const base = { metadata, lineage };
  switch (kind) {
    case "diff_review":
      return { ...base, data, title: `review ${nameOf(target)}`, text: args.optional("summary") };
    case "review_decision": {
      const decision = args.name("decision");
      return { ...about(target, { decision }), title: `${decision} ${nameOf(target)}`, text: decision };
    }
    case "patch_proposal": {
      const patch = args.body("patch");
      return { ...base, data: { ...data, patch }, title: `patch for ${nameOf(target)}`, text: patch };
    }
    default: {
      const intent = args.name("intent");
      return { ...base, data: { ...data, intent }, title: `${intent} ${nameOf(target)}`, text: intent };
    }
  }
};

const ofArguments = (kind: HelperKind, args: Arguments): Parts => {
  switch (kind) {
    case "workspace_file": {
      const path = args.name("path");
      const content = args.body("content");
      return { title: path, text: content, data: { path, content }, metadata: { path } };
    }
    case "workspace_snapshot": {
      const paths = args.value("paths");
      return { title: "workspace snapshot", text: args.optional("summary"), data: { paths }, metadata: { paths } };
    }
    case "editor_selection": {
      const path = args.name("path");
      const text = args.body("text");
      return { title: `selection ${path}`, text, data: { path, text }, metadata: { path } };
    }
    case "command_result": {
      const command = args.name("command");
      const output = args.value("output");
      return { title: command, text: textOf(output), data: { command, output }, metadata: { command } };
    }
    case "diff": {
      const path = args.name("path");
      const before = args.body("before");
      const after = args.body("after");
      const text = args.missing === null ? unifiedDiff(path, before, after) : null;
      return { title: `diff ${path}`, text, data: { path, before, after }, metadata: { path } };
    }
    case "git_diff": {
      const diff = args.body("diff_text");
      return { title: "git diff", text: diff, data: { diff } };
    }
    case "verification_bundle": {
      const title = args.name("title");
      const checks = args.value("checks");
      return { title, text: textOf(checks), data: { title, checks } };
    }
    default: {
      const title = args.name("title");
      const text = args.body("text");
      return { title, text, data: { title, text } };
    }
  }
};

const TARGETED: ReadonlySet<HelperKind> = new Set(["diff_review", "review_decision", "patch_proposal", "apply_intent"]);

/** True for a helper that says something about another artifact. */
export const hasTarget = (kind: HelperKind): boolean => TARGETED.has(kind);

/** What a helper is called with: its own arguments, its options, and the artifact it is about where it has one. */
export interface HelperCall {
  readonly args: JsonObject;
  readonly options?: Json;
  readonly target?: ArtifactRecord | null;
}

/**
 * An artifact of a helper's kind (spec/workflow 15.2). The title and the text of the options win, and so does their data
 * key by key; errors are `artifact_{kind}: missing {field}` and that of the options.
 */
export const helperArtifact = (
  kind: HelperKind,
  call: HelperCall,
  context: ArtifactContext,
): Result<ArtifactRecord, string> => {
  const missing = (field: string): Result<never, string> => err(`artifact_${kind}: missing ${field}`);
  const { target = null } = call;
  if (hasTarget(kind) && target === null) return missing("target artifact");
  const args = new Arguments(call.args);
  const parts = target !== null && hasTarget(kind) ? ofTarget(kind, target, args) : ofArguments(kind, args);
  if (args.missing !== null) return missing(args.missing);
  const options = helperOptions(call.options);
  if (!options.ok) return options;
  const given = options.value;
  return ok(
    normalizeArtifact(
      {
        ...given,
        kind,
        title: given.title ?? parts.title,
        text: given.text ?? parts.text,
        data: mergedData(parts.data, given.data),
        lineage: [...(given.lineage ?? []), ...(parts.lineage ?? [])],
        metadata: { ...given.metadata, ...parts.metadata },
      },
      context,
    ),
  );
};
