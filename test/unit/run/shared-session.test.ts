import { describe, expect, it } from "vitest";
import { accepted, createRun, DONE, runFixture, step } from "../../support/run-fixture.ts";

const talks = (id: string) => ({ kind: "stage", mode: "llm", model_policy: { session_id: id } });

const graph = {
  id: "wf",
  entry: "fan",
  nodes: { fan: { kind: "fork" }, a: talks("one"), b: talks("one"), c: talks("other") },
  edges: ["a", "b", "c"].map((to) => ({ from: "fan", to })),
};

describe("stages that share a conversation", () => {
  it("[W-14.3] are open one at a time, also where stages run side by side", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(graph, { options: { max_parallel: 3 } }));
    const first = step(shell, undefined, true).next;
    expect(first?.node_id).toBe("a");
    expect(step(shell, undefined, true).next?.node_id).toBe("c");
    expect(step(shell, undefined, true)).toMatchObject({ next: null, waiting: "other_driver" });
    const after = step(shell, { attempt_token: first?.attempt_token ?? "", result: DONE }, true);
    expect(after.next?.node_id).toBe("b");
    expect(after.next?.session?.messages).toMatchObject([{ role: "user" }, { role: "assistant", content: "ok" }]);
  });
});
