import { displayed, givenText } from "../lib/display.ts";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { type CapabilityPolicy, type ContextPolicy, contextPolicySchema, decodeCapabilityPolicy } from "./policy.ts";
import { decodeWorkerPart } from "./worker-execution.ts";

/** What is carried from one cycle into the next, without the ceiling, which needs the parent's (spec/workers 4). */
export interface WorkerCarry {
  readonly artifact_mode: string;
  readonly transcript_mode: string;
  readonly context_policy: ContextPolicy;
  readonly resume_workflow: boolean;
  readonly persist_state: boolean;
  readonly retriggerable: boolean;
}

const INHERIT = "inherit";
const MODES: readonly string[] = [INHERIT, "fork", "reset", "compact"];

const modeProblem = (label: string, mode: string): string =>
  `${label} must be one of ${MODES.join(", ")}; got \`${mode}\``;

const modeOf = (value: Json): string => displayed(isObject(value) ? value["mode"] : value).trim();

/** Whichever of these keys a carry has first; one that is given as null counts as given. */
const firstGiven = (carry: JsonObject, keys: readonly string[]): Json | undefined => {
  const key = keys.find((name) => Object.hasOwn(carry, name));
  return key === undefined ? undefined : carry[key];
};

const artifactMode = (carry: JsonObject): string => {
  const given = givenText(carry["artifact_mode"]);
  if (given !== null) return given;
  const { artifacts } = carry;
  return isObject(artifacts) ? INHERIT : (givenText(artifacts) ?? INHERIT);
};

const transcriptMode = (carry: JsonObject): Result<string, string> => {
  const given = firstGiven(carry, ["transcript_mode", "transcript", "transcript_policy"]);
  if (given === undefined) return ok(INHERIT);
  const mode = modeOf(given);
  return MODES.includes(mode) ? ok(mode) : err(modeProblem("spawn_agent: carry.transcript_mode", mode));
};

const decodeContext = (value: Json): Result<ContextPolicy, string> =>
  decodeWorkerPart(contextPolicySchema, "context policy", value);

const switches = (carry: JsonObject) => ({
  resume_workflow: carry["resume_workflow"] !== false,
  persist_state: carry["persist_state"] !== false,
  retriggerable: carry["retriggerable"] === true,
});

/** Reads `carry` of a worker's config; anything but an object is an empty one (spec/workers 4). */
export const decodeWorkerCarry = (config: JsonObject): Result<WorkerCarry, string> => {
  const carry = isObject(config["carry"]) ? config["carry"] : {};
  const selection = isObject(carry["artifacts"]) ? carry["artifacts"] : {};
  const context = decodeContext(carry["context_policy"] ?? selection);
  if (!context.ok) return context;
  const transcript = transcriptMode(carry);
  if (!transcript.ok) return transcript;
  return ok({
    artifact_mode: artifactMode(carry),
    transcript_mode: transcript.value,
    context_policy: context.value,
    ...switches(carry),
  });
};

/** A carry policy as a snapshot holds it. */
export interface SnapshotCarry extends WorkerCarry {
  readonly policy: CapabilityPolicy | null;
}

/** Reads the carry policy of a snapshot; one without any carries nothing on, whatever its modes (spec/workers 12.4). */
export const decodeSnapshotCarry = (value: Json | undefined): Result<SnapshotCarry, string> => {
  const carry = isObject(value) ? value : null;
  const context = decodeContext(carry?.["context_policy"] ?? {});
  if (!context.ok) return context;
  if (carry === null)
    return ok({
      artifact_mode: "",
      transcript_mode: "",
      context_policy: context.value,
      resume_workflow: false,
      persist_state: false,
      retriggerable: false,
      policy: null,
    });
  // Snapshots of older versions hold an object with the mode.
  const mode = modeOf(carry["transcript_mode"] ?? carry["transcript_policy"] ?? INHERIT) || INHERIT;
  if (!MODES.includes(mode)) return err(modeProblem("worker snapshot: carry_policy.transcript_mode", mode));
  const policy = carry["policy"] ?? null;
  const ceiling = policy === null ? ok(null) : decodeCapabilityPolicy(policy);
  if (!ceiling.ok) return err(`worker snapshot: ${ceiling.error.message}`);
  return ok({
    artifact_mode: givenText(carry["artifact_mode"]) ?? INHERIT,
    transcript_mode: mode,
    context_policy: context.value,
    ...switches(carry),
    policy: ceiling.value,
  });
};
