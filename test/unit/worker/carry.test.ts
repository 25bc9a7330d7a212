import { describe, expect, it } from "vitest";
import { carryArtifacts } from "../../../src/engine/worker/artifact-carry.ts";
import {
  carryTranscript,
  compactedTranscript,
  digestOf,
  reducedTranscript,
} from "../../../src/engine/worker/transcript-carry.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { decodeWorkerCarry } from "../../../src/schema/worker-carry.ts";
import { errorOf, valueOf } from "../graph/fixture.ts";
import { countedContext, workerWith } from "./from-snapshot.ts";

const carryOf = (carry: Json) => valueOf(decodeWorkerCarry({ carry }));

describe("a carry policy", () => {
  it("[L-4] has its defaults where nothing, or nothing in form, is said", () => {
    const defaults = {
      artifact_mode: "inherit",
      transcript_mode: "inherit",
      resume_workflow: true,
      persist_state: true,
      retriggerable: false,
    };
    for (const carry of [{}, "none", null, { resume_workflow: "false", retriggerable: "true", artifact_mode: "" }])
      expect(carryOf(carry)).toMatchObject(defaults);
  });

  it("[L-4] only the exact truth values count", () => {
    const carry = { resume_workflow: false, persist_state: false, retriggerable: true };
    expect(carryOf(carry)).toMatchObject(carry);
  });

  it.each([
    [{ artifacts: "none" }, "none"],
    [{ artifacts: "none", artifact_mode: "all" }, "all"],
    [{ artifacts: { max_artifacts: 1 } }, "inherit"],
    [{ artifacts: 5 }, "5"],
  ] as const)("[L-4] the artifact mode of %j is %s", (carry, mode) => {
    expect(carryOf(carry).artifact_mode).toBe(mode);
  });

  it("[L-4] the context policy is its own, or the artifacts where those are an object", () => {
    expect(carryOf({ artifacts: { max_artifacts: 1 } }).context_policy.max_artifacts).toBe(1);
    const both = { artifacts: { max_artifacts: 1 }, context_policy: { max_artifacts: 2 } };
    expect(carryOf(both).context_policy.max_artifacts).toBe(2);
    expect(errorOf(decodeWorkerCarry({ carry: { context_policy: "x" } }))).toMatch(/^context policy parse error: \.: /);
  });

  it.each([
    [{ transcript: "fork" }, "fork"],
    [{ transcript: { mode: " reset " } }, "reset"],
    [{ transcript: "fork", transcript_mode: "compact" }, "compact"],
    [{ transcript_policy: { mode: "reset" } }, "reset"],
  ] as const)("[L-4] the transcript mode of %j is %s", (carry, mode) => {
    expect(carryOf(carry).transcript_mode).toBe(mode);
  });

  it.each([
    [{ transcript_mode: "sideways" }, "sideways"],
    [{ transcript_mode: null }, "nil"],
    [{ transcript: { mode: "" } }, ""],
    [{ transcript: {} }, "nil"],
    [{ transcript: 5 }, "5"],
  ] as const)("[L-4] %j names no transcript mode", (carry, mode) => {
    expect(errorOf(decodeWorkerCarry({ carry }))).toBe(
      `spawn_agent: carry.transcript_mode must be one of inherit, fork, reset, compact; got \`${mode}\``,
    );
  });
});

describe("artifacts for the next cycle", () => {
  const { artifacts } = workerWith({
    artifacts: [
      { id: "s", kind: "summary" },
      { id: "p", kind: "plan" },
    ],
  });
  const ids = (carry: Json) => carryArtifacts(artifacts, carryOf(carry)).map(({ id }) => id);

  it("[L-4] are none, all in their order, or what the context policy selects", () => {
    expect(ids({ artifacts: "none", context_policy: { max_artifacts: 2 } })).toEqual([]);
    expect(ids({ artifact_mode: "anything" })).toEqual(["s", "p"]);
    expect(ids({ context_policy: { max_artifacts: 1 } })).toEqual(["p"]);
  });
});

const message = (role: string, content: string): JsonObject => ({ role, content });

const CONVERSATION = {
  _type: "transcript",
  id: "t1",
  messages: [message("user", "a"), message("assistant", "b"), message("user", "c"), message("assistant", "d")],
  events: [
    { id: "t1:message:0", text: "a" },
    { id: "t1:message:1", text: "b" },
    { id: "t1:message:2", text: "c" },
    { id: "t1:message:3", text: "d" },
    { id: "own", kind: "sub_agent_result" },
  ],
  metadata: { k: "v" },
};

const carried = (transcript: Json, mode: string) => carryTranscript(transcript, mode, countedContext());

describe("a transcript for the next cycle", () => {
  it.each(["inherit", "", "compact"])("[L-4] passes as it is with the mode %j", (mode) => {
    expect(valueOf(carried(CONVERSATION, mode))).toBe(CONVERSATION);
  });

  it("[L-4] is dropped, or copied under a new id that remembers the old one", () => {
    expect(valueOf(carried(CONVERSATION, "reset"))).toBeNull();
    expect(valueOf(carried(CONVERSATION, "fork"))).toEqual({
      ...CONVERSATION,
      id: "id-1",
      metadata: { k: "v", parent_transcript_id: "t1" },
    });
  });

  it("[L-4] a fork of what has no id remembers none", () => {
    expect(valueOf(carried({ messages: [] }, "fork"))).toEqual({ messages: [], id: "id-1" });
    expect(valueOf(carried({ id: "", metadata: { k: 1 } }, "fork"))).toEqual({ id: "id-1", metadata: { k: 1 } });
    expect(valueOf(carried(null, "fork"))).toBeNull();
  });

  it("[L-4] a mode that nobody knows is refused", () => {
    expect(errorOf(carried(null, "sideways"))).toBe("worker transcript policy: unknown transcript_mode `sideways`");
  });
});

describe("the transcript of a cycle that has ended", () => {
  it("[L-4] keeps the last two messages from one of the user on, and events beside the messages", () => {
    const summary = "[auto-compacted 2 older messages via truncate strategy]\n[user] a\n[assistant] b";
    expect(compactedTranscript(CONVERSATION)).toMatchObject({
      id: "t1",
      summary,
      messages: [message("user", summary), message("user", "c"), message("assistant", "d")],
      events: [{ id: "t1:message:0", text: summary }, { text: "c" }, { text: "d" }, { id: "own" }],
      metadata: { k: "v" },
    });
  });

  it("[L-4] the kept part begins earlier where a turn of the user does", () => {
    const messages = ["user", "user", "assistant", "tool_result", "assistant"].map((role, index) =>
      message(role, String(index)),
    );
    expect(compactedTranscript({ id: "t", messages })).toMatchObject({
      messages: [{ role: "user" }, message("user", "1"), message("assistant", "2"), { role: "tool_result" }, {}],
    });
  });

  it("[L-4] stays as it is where it is short, or no transcript", () => {
    const short = { id: "t", messages: CONVERSATION.messages.slice(0, 2) };
    for (const transcript of [short, null, "text", { id: "t" }])
      expect(compactedTranscript(transcript)).toBe(transcript);
  });
});

describe("a conversation that does not go on", () => {
  it("[L-17.5] its digest is its summary, or else the beginnings of all its messages", () => {
    expect(digestOf({ ...CONVERSATION, summary: "Prior digest" })).toBe("Prior digest");
    expect(digestOf({ ...CONVERSATION, summary: "  " })).toBe(
      "[auto-compacted 4 older messages via truncate strategy]\n[user] a\n[assistant] b\n[user] c\n[assistant] d",
    );
    expect(digestOf({ messages: [] })).toBeNull();
    expect(digestOf(null)).toBeNull();
  });

  it("[L-17.5] is reduced to the digest, under the same id and with its metadata", () => {
    expect(reducedTranscript(CONVERSATION, "Prior digest")).toMatchObject({
      _type: "transcript",
      id: "t1",
      messages: [message("user", "Prior digest")],
      events: [{ id: "t1:message:0", text: "Prior digest" }],
      summary: "Prior digest",
      metadata: { k: "v" },
    });
    expect(reducedTranscript(CONVERSATION, null)).toBeNull();
  });
});
