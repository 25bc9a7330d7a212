import { beforeAll, describe, expect, it } from "vitest";
import { clientFor, get, migrateDatabase, post } from "./http-setup.ts";

const client = clientFor();

const GRAPH = {
  id: "limited",
  entry: "a",
  capability_policy: { tools: ["read", "edit"], side_effect_level: "workspace_write" },
  nodes: { a: { kind: "stage", mode: "external", capability_policy: { tools: ["read"] } } },
};

const newRun = () => client.createRun({ graph: GRAPH, task: "do it", drive: "manual" });

const problemOf = async (response: Response) => ({ status: response.status, ...(await response.json<object>()) });

const refused = (detail: string) => ({ status: 422, code: "policy_exceeds_ceiling", detail });

beforeAll(migrateDatabase);

describe("policies over HTTP", () => {
  it("[W-10.3] who prepares a stage and asks for more is refused, and the stage stays free", async () => {
    const { run_id: run } = await newRun();
    const prepare = (options: object) => post(`/v1/runs/${run}/stages/a/prepare`, { options });
    for (const options of [{ tools: ["read", "edit"] }, { capability_policy: { tools: ["edit"] } }])
      expect(await problemOf(await prepare(options))).toMatchObject(
        refused("requested tools exceed host ceiling: edit"),
      );
    expect(await problemOf(await prepare({ policy: { side_effect_level: "network" } }))).toMatchObject(
      refused("requested side-effect level exceeds host ceiling: network"),
    );
    expect(await problemOf(await prepare({ policy: { tools: "read" } }))).toMatchObject({
      status: 400,
      code: "invalid_request",
      details: { issues: [{ path: "options.policy.tools" }] },
    });
    expect(await (await get(`/v1/runs/${run}`)).json()).toMatchObject({ status: "running", stages: [] });
    expect((await prepare({ policy: { side_effect_level: "read_only" } })).status).toBe(200);
  });

  it("[I8] who completes a stage with calls of other tools is refused", async () => {
    const { run_id: run } = await newRun();
    const plan = await client.prepareStage(run, "a");
    const complete = (result: object) =>
      post(`/v1/runs/${run}/stages/a/complete`, { attempt_token: plan.attempt_token, result });
    expect(await problemOf(await complete({ status: "completed", tool_calls: [{ name: "edit" }] }))).toMatchObject(
      refused("requested tools exceed host ceiling: edit"),
    );
    expect((await complete({ status: "completed", tool_calls: [{ name: "read" }] })).status).toBe(200);
  });

  it("[W-19.32] a run whose option is below what its nodes ask for is not created", async () => {
    const options = { capability_policy: { tools: ["edit", "read"], side_effect_level: "read_only" } };
    const created = await post("/v1/runs", { graph: GRAPH, task: "do it", drive: "manual", options });
    expect(created.status).toBe(201);
    const narrow = { capability_policy: { tools: ["edit"] } };
    const graph = { ...GRAPH, capability_policy: {} };
    const refusal = await post("/v1/runs", { graph, task: "do it", drive: "manual", options: narrow });
    expect(await problemOf(refusal)).toMatchObject(refused("node a: requested tools exceed host ceiling: read"));
    const wrong = await post("/v1/runs", { graph, task: "do it", options: { approval_policy: { auto_deny: 5 } } });
    expect(await problemOf(wrong)).toMatchObject({ status: 400, code: "invalid_request" });
  });
});
