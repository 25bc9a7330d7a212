import { describe, expect, it } from "vitest";
import { readSessions } from "../../../src/engine/transcript/read-sessions.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { accepted, refusal, type RunShell } from "../../support/run-fixture.ts";
import {
  advance,
  complete,
  failure,
  fn,
  planIn,
  recordOf,
  runOf,
  runOfNode,
  says,
  stageOf,
  takeAll,
} from "../../support/run-steps.ts";

const llm = (session: string | null, extra: JsonObject = {}): JsonObject => ({
  kind: "stage",
  mode: "llm",
  prompt: "Say",
  ...(session === null ? {} : { model_policy: { session_id: session } }),
  ...extra,
});

const chain = (...nodes: readonly JsonObject[]) => ({
  entry: "n0",
  nodes: Object.fromEntries(nodes.map((node, at) => [`n${at}`, node])),
  edges: nodes.slice(1).map((_, at) => ({ from: `n${at}`, to: `n${at + 1}` })),
});

const idsOf = (shell: RunShell): readonly string[] =>
  readSessions(shell.state?.sessions as never, { session_id: null, visibility: null }).items.map(
    (row) => row.session_id,
  );

const lengthOf = (shell: RunShell, id: string): number | undefined => shell.state?.sessions.get(id)?.messages.length;

const rolesOf = (plan: StagePlan): readonly unknown[] =>
  (plan.session?.messages ?? []).map((message) => (message as JsonObject)["role"]);

const texts = (transcript: unknown) =>
  (transcript as { messages: { content: string }[] }).messages.map((m) => m.content);

describe("a session that nodes share", () => {
  it("[W-14.3] is opened with its first use and holds what its stages said", () => {
    const { shell } = runOf(chain(llm("talk"), llm("talk"), llm("other")));
    const first = planIn(advance(shell));
    expect(first).toMatchObject({ session: { id: "talk", messages: [] }, llm_options: { session_id: "talk" } });
    const second = planIn(complete(shell, first, says("one")));
    expect(rolesOf(second)).toEqual(["user", "assistant"]);
    expect(second.session?.messages[1]).toMatchObject({ content: "one" });
    const third = planIn(complete(shell, second, says("two")));
    expect(third.session).toMatchObject({ id: "other", messages: [] });
    complete(shell, third);
    expect(idsOf(shell)).toEqual(["other", "talk"]);
    expect([lengthOf(shell, "talk"), lengthOf(shell, "other")]).toEqual([4, 2]);
  });

  it("[W-14.2] is the transcript of its stages and of the run", () => {
    const { shell } = runOf(chain(llm("talk"), llm("talk"), fn()));
    complete(shell, planIn(complete(shell, planIn(advance(shell)), says("one"))), says("two"));
    expect(texts(stageOf(shell, "n0").transcript)).toHaveLength(2);
    expect(texts(stageOf(shell, "n1").transcript)).toHaveLength(4);
    // A call that talks to nobody leaves it as it was.
    complete(shell, planIn(advance(shell, { live_attempts: [] })));
    expect(texts(recordOf(shell).transcript).at(-1)).toBe("two");
    expect(recordOf(shell).transcript).toEqual(stageOf(shell, "n1").transcript);
  });

  it("[architecture 2] is no second copy of the conversation: a long one costs a stage no more than a short one", () => {
    const { shell } = runOf(chain(llm("talk"), llm("talk")));
    let next = planIn(advance(shell));
    for (const text of ["one", "two"]) {
      const reply = complete(shell, next, says(text));
      if (reply.next !== null) next = reply.next;
      const transcript = shell.state?.transcript;
      if (transcript === undefined || "value" in transcript) throw new Error("the transcript is no session");
      expect(transcript.session).toBe(shell.state?.sessions.get("talk"));
    }
  });

  it("[W-14.3] keeps nothing of a call that failed", () => {
    const { shell } = runOf(chain(llm("talk"), llm("talk")));
    const next = planIn(complete(shell, planIn(advance(shell)), failure("Error [auth]: no")));
    expect(next.session).toMatchObject({ id: "talk", messages: [] });
  });

  it("[W-14.3] is shared by the branches of a map", () => {
    const { shell } = runOfNode({ ...llm("talk"), kind: "map", map_policy: { items: [1, 2], max_concurrent: 1 } });
    const second = planIn(complete(shell, planIn(advance(shell)), says("one")));
    expect(rolesOf(second)).toEqual(["user", "assistant"]);
    complete(shell, second, says("two"));
    expect(lengthOf(shell, "talk")).toBe(4);
  });

  it("[W-14.3] can be changed from outside while the run goes on, and not when it is over", () => {
    const { shell } = runOf(chain(llm("talk"), llm("talk")));
    accepted(shell, { type: "session", op: "open", session_id: "talk" });
    accepted(shell, {
      type: "session",
      op: "inject",
      session_id: "talk",
      message: { role: "user", content: "mind this" },
    });
    const first = planIn(advance(shell));
    expect(first.session?.messages).toMatchObject([{ role: "user", content: "mind this" }]);
    const second = planIn(complete(shell, first));
    accepted(shell, { type: "session", op: "reset", session_id: "talk" });
    complete(shell, second);
    expect(lengthOf(shell, "talk")).toBe(2);
    expect(refusal(shell, { type: "session", op: "reset", session_id: "talk" }).code).toBe("invalid_transition");
  });
});

describe("a session of a stage alone", () => {
  const agent: JsonObject = { kind: "stage", mode: "agent", prompt: "Work" };

  it("[W-8.1] is there while an agent works and gone afterwards, its transcript kept with the stage", () => {
    const { shell } = runOf(chain(agent));
    const plan = planIn(advance(shell));
    const id = plan.session?.id ?? "";
    expect(idsOf(shell)).toEqual([id]);
    const message = { role: "assistant", content: "thought" };
    accepted(shell, {
      type: "record_step",
      attempt_token: plan.attempt_token,
      number: 0,
      step: { iteration: 1, messages: [message] },
    });
    complete(shell, plan);
    expect(idsOf(shell)).toEqual([]);
    expect(stageOf(shell, "n0").transcript).toMatchObject({ messages: [{ content: "thought" }] });
  });

  it("[W-8.1] of a single model call is never opened", () => {
    const { shell } = runOf(chain(llm(null)));
    const plan = planIn(advance(shell));
    expect(plan.session).toBeUndefined();
    expect(plan.llm_options).toMatchObject({ session_id: expect.stringMatching(/^workflow_stage_/) as string });
    complete(shell, plan);
    expect(idsOf(shell)).toEqual([]);
    expect(stageOf(shell, "n0").transcript).toBeNull();
  });

  it("[W-6.6] of a branch that its map no longer waits for is gone, too", () => {
    const { shell } = runOf({
      entry: "m",
      nodes: {
        m: { ...agent, kind: "map", map_policy: { items: [1, 2, 3] }, join_policy: { strategy: "first" } },
        next: fn(),
      },
      edges: [{ from: "m", to: "next" }],
    });
    const [, b] = takeAll(shell) as [StagePlan, StagePlan];
    expect(idsOf(shell)).toHaveLength(3);
    expect(complete(shell, b).next?.node_id).toBe("next");
    expect(idsOf(shell)).toEqual([]);
  });
});

const needy = (session: string | null): JsonObject => llm(session, { input_contract: { require_transcript: true } });

describe("a stage that requires a transcript", () => {
  it("[W-8.1] fails without its session, and is executed with it", () => {
    for (const session of [null, "talk"]) {
      const { shell } = runOf(chain(needy(session)));
      expect(advance(shell)).toMatchObject({ next: null, status: "completed" });
      expect(stageOf(shell, "n0")).toMatchObject({ status: "failed", branch: "error" });
      expect(stageOf(shell, "n0").metadata["error"]).toContain("requires an existing session");
    }
    const { shell } = runOf(chain(llm("talk"), needy("talk")));
    expect(complete(shell, planIn(advance(shell))).next).toMatchObject({ node_id: "n1", session: { id: "talk" } });
    const opened = runOf(chain(needy("talk")));
    accepted(opened.shell, { type: "session", op: "open", session_id: "talk" });
    expect(advance(opened.shell).next?.node_id).toBe("n0");
  });
});
