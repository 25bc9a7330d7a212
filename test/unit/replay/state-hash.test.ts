import { describe, expect, it } from "vitest";
import { stateHash } from "../../../src/engine/replay/state-hash.ts";
import type { RunRecord } from "../../../src/schema/record.ts";
import { PlayedRun, playContext } from "../../prove/played-run.ts";
import { Player } from "../../prove/player.ts";
import { outsideOf } from "../../prove/answers.ts";
import { Random } from "../../support/random.ts";
import { createRun } from "../../support/run-fixture.ts";

const recordOf = (): RunRecord => {
  const map = { kind: "map", mode: "agent", map_policy: { items: ["x", "y"] } };
  const agent = { kind: "stage", mode: "agent", model_policy: { session_id: "talk" } };
  const edges = [
    { from: "m", to: "a" },
    { from: "a", to: "v" },
  ];
  const nodes = { m: map, a: agent, v: { kind: "verify", verify: { assert_text: "ok" } } };
  const run = new PlayedRun(playContext());
  const first = run.create(createRun({ id: "wf", entry: "m", nodes, edges }));
  if (first === null) throw new Error("the run was refused");
  new Player(run, { outside: outsideOf(6), random: new Random(1), drivers: 3 }).drive(first);
  return run.record;
};

const record = recordOf();

// The record is plain JSON: a planted difference is a change of a copy.
type Plain = any; // oxlint-disable-line typescript/no-explicit-any -- a copy is changed where the record is readonly

const PLANTED: Readonly<Record<string, (copy: Plain) => void>> = {
  "the status": (copy) => (copy.status = "paused"),
  "the task": (copy) => (copy.task = "another"),
  "the error": (copy) => (copy.metadata.error = "it broke"),
  "the queue": (copy) => copy.pending_nodes.push("a"),
  "the completed nodes": (copy) => copy.completed_nodes.pop(),
  "a stage that is missing": (copy) => copy.stages.pop(),
  "the order of stages": (copy) => (copy.stages = copy.stages.toReversed()),
  "the branch of a stage": (copy) => (copy.stages[0].branch = "failed"),
  "the text of a stage": (copy) => (copy.stages[0].visible_text = "other"),
  "the verification of a stage": (copy) => (copy.stages[2].verification = { ok: false }),
  "what a stage consumed": (copy) => copy.stages[1].consumed_artifact_ids.pop(),
  "an attempt of a stage": (copy) => copy.stages[1].attempts.push(copy.stages[1].attempts[0]),
  "the transcript of a stage": (copy) => (copy.stages[1].transcript.messages[0].content = "other"),
  "the settled branches of a map": (copy) => (copy.stages[0].metadata.map.settled = 1),
  "the attempts of a branch": (copy) => (copy.stages[0].metadata.map.attempts = { "0": 2 }),
  "an artifact": (copy) => copy.artifacts.pop(),
  "the text of an artifact": (copy) => (copy.artifacts[0].text = "other"),
  "a transition": (copy) => copy.transitions.pop(),
  "the run's transcript": (copy) => (copy.transcript = { messages: [] }),
  "a tool call that is missing": (copy) => copy.tool_recordings.pop(),
  "the result of a tool call": (copy) => (copy.tool_recordings[0].result = "other"),
};

const UNSEEN: Readonly<Record<string, (copy: Plain) => void>> = {
  "the time of a stage": (copy) => (copy.stages[0].started_at = "2030-01-01T00:00:00Z"),
  "how many branches were started": (copy) => (copy.stages[0].metadata.map.started = 9),
  "the order in which tools were called side by side": (copy) =>
    (copy.tool_recordings = copy.tool_recordings.toReversed()),
  "how long a tool took": (copy) => (copy.tool_recordings[0].duration_ms = 99),
};

const hashWith = (plant: (copy: Plain) => void): string => {
  const copy = structuredClone(record) as Plain;
  plant(copy);
  expect(copy).not.toEqual(record);
  return stateHash(copy as RunRecord);
};

describe("the hash of what a run came to", () => {
  it.each(Object.entries(PLANTED))("[architecture] sees %s", (_, plant) => {
    expect(hashWith(plant)).not.toBe(stateHash(record));
  });

  it.each(Object.entries(UNSEEN))("[architecture] does not see %s", (_, plant) => {
    expect(hashWith(plant)).toBe(stateHash(record));
  });
});
