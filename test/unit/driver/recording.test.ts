import { describe, expect, it } from "vitest";
import { feedRecording } from "../../../src/driver/recording.ts";
import type { RecordedPage } from "../../../src/engine/replay/next-stage.ts";
import type { RunStageRecord, ToolCallRecord } from "../../../src/schema/record.ts";

const COUNT = 160;

const stages = Array.from({ length: COUNT }, (_, index) => ({ id: `s${index}` }) as RunStageRecord);

const call = (name: string) => ({ tool_name: name }) as ToolCallRecord;

const page: RecordedPage = {
  from: 0,
  stages,
  total: COUNT,
  queues: stages.map(({ id }) => [`after ${id}`]),
  tools: { s0: [call("first")], s150: [call("later")] },
};

describe("the feed of a replay", () => {
  it("[architecture] hands over each stage with its queue and its tool calls, reading a page once", async () => {
    let reads = 0;
    const feed = feedRecording(() => {
      reads += 1;
      return Promise.resolve(page);
    });
    const first = await feed({ run_id: "run-1", from: 0 });
    expect(first.stages.length).toBeLessThan(COUNT);
    expect(first.tools).toEqual({ s0: [call("first")] });
    const second = await feed({ run_id: "run-1", from: first.stages.length });
    expect([...first.stages, ...second.stages]).toEqual(stages);
    expect([...(first.queues ?? []), ...(second.queues ?? [])]).toEqual(page.queues);
    expect(second.tools).toEqual({ s150: [call("later")] });
    expect(reads).toBe(1);
  });
});
