import { describe, expect, it } from "vitest";
import { feedRecording } from "../../../src/driver/recording.ts";
import {
  nextRecordedStage,
  recordingWanted,
  replayOrder,
  type RunReplay,
} from "../../../src/engine/replay/next-stage.ts";
import { decodeRunRecord, type RunStageRecord } from "../../../src/schema/record.ts";
import { must } from "../../support/run-fixture.ts";

const stagesOf = (...nodes: readonly object[]): readonly RunStageRecord[] =>
  must(decodeRunRecord({ id: "r", stages: nodes })).stages;

const two = stagesOf(
  {
    node_id: "a",
    status: "failed",
    outcome: "error",
    branch: "error",
    visible_text: "oh",
    private_reasoning: "why",
    consumed_artifact_ids: ["x"],
    usage: { call_count: 2 },
    attempts: [{ attempt: 1 }, { attempt: 2 }],
    metadata: { error: "boom", prompt: "p", worker: { id: "w" }, mode: "llm" },
  },
  { node_id: "b", status: "completed" },
);

const given: RunReplay = { source: null, stages: two, position: 0 };
const paged: RunReplay = { source: "r", stages: null, position: 1 };

describe("the next recorded stage", () => {
  it("[W-12.5] stands for the execution with all that was recorded", () => {
    expect(nextRecordedStage(given, "a")).toEqual({
      ok: true,
      value: {
        selected_artifact_ids: ["x"],
        executed: {
          status: "failed",
          outcome: "error",
          branch: "error",
          result: { status: "failed", visible_text: "oh", private_reasoning: "why", prompt: "p", worker: { id: "w" } },
          artifacts: [],
          transcript: null,
          verification: null,
          usage: two[0]?.usage,
          error: "boom",
          attempts: two[0]?.attempts,
        },
      },
    });
  });

  it("[W-12.5] is refused with the texts of the specification", () => {
    expect(nextRecordedStage({ ...given, stages: null }, "a")).toEqual({
      ok: false,
      error: "replay_mode requires replay_run or replay_path",
    });
    expect(nextRecordedStage({ ...given, position: 2 }, "c")).toEqual({
      ok: false,
      error: "workflow replay exhausted before node c",
    });
    expect(nextRecordedStage({ ...given, position: 1 }, "a")).toEqual({
      ok: false,
      error: "workflow replay mismatch: expected node a, next replay stage is b",
    });
  });

  it("[architecture] comes from the page that was handed in, which is asked for when it is missing", () => {
    const page = { from: 1, stages: two.slice(1), total: 2 };
    expect(recordingWanted(null)).toBeNull();
    expect(recordingWanted(given)).toBeNull();
    expect(recordingWanted(paged)).toEqual({ run_id: "r", from: 1 });
    expect(recordingWanted(paged, page)).toBeNull();
    expect(recordingWanted({ ...paged, position: 0 }, page)).toEqual({ run_id: "r", from: 0 });
    expect(recordingWanted({ ...paged, position: 2 }, page)).toBeNull();
    expect(nextRecordedStage(paged, "b", page)).toMatchObject({ ok: true });
    expect(nextRecordedStage({ ...paged, position: 2 }, "b", page)).toMatchObject({ ok: false });
    expect(nextRecordedStage({ ...paged, position: 0 }, "b", page)).toMatchObject({ ok: false });
  });

  it("[architecture] decides which of the ready nodes is opened, for stages that ended out of order", () => {
    expect(replayOrder({ replay: null, ready: ["b", "a"] }, "b")).toBe("b");
    expect(replayOrder({ replay: given, ready: ["b", "a"] }, "b")).toBe("a");
    expect(replayOrder({ replay: given, ready: ["b"] }, "b")).toBe("b");
    expect(replayOrder({ replay: { ...given, position: 2 }, ready: ["b"] }, "b")).toBe("b");
  });
});

describe("feeding a replay", () => {
  it("[architecture] reads a page once and hands it over in portions", async () => {
    const stages = stagesOf(...Array.from({ length: 400 }, (_, index) => ({ node_id: `n${index}` })));
    const read: number[] = [];
    const feed = feedRecording(async ({ from }) => {
      read.push(from);
      return { from, stages: stages.slice(from, from + 300), total: 400 };
    });
    const seen: number[] = [];
    for (let from = 0; from < 400;) {
      const page = await feed({ run_id: "r", from });
      expect(page).toMatchObject({ from, total: 400 });
      expect(page.stages[0]?.node_id).toBe(`n${from}`);
      seen.push(page.stages.length);
      from += page.stages.length;
    }
    expect(seen).toEqual([150, 150, 100]);
    expect(read).toEqual([0, 300]);
  });

  it("[architecture] never hands over more text than one command should carry, and one stage at least", async () => {
    const stages = stagesOf(
      ...Array.from({ length: 4 }, () => ({ node_id: "n", visible_text: "x".repeat(1_500_000) })),
    );
    const feed = feedRecording(async ({ from }) => ({ from, stages: stages.slice(from), total: 4 }));
    expect((await feed({ run_id: "r", from: 0 })).stages).toHaveLength(1);
  });

  it("[architecture] an empty page is the end of the recording", async () => {
    const feed = feedRecording(async () => ({ from: 0, stages: [], total: 9 }));
    expect(await feed({ run_id: "r", from: 5 })).toEqual({ from: 5, stages: [], total: 5 });
  });
});
