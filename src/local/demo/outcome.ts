import type { RootKey } from "../settings.ts";
import { duration, money } from "./paint.ts";
import type { RunProgress } from "./progress.ts";
import type { Screen } from "./screen.ts";

/** What came of the demo. */
export interface Outcome {
  readonly url: string;
  /** Null when it was not built. */
  readonly dashboard: string | null;
  /** `scripted`, or the setting that chose the model. */
  readonly model: string;
  readonly run_id: string;
  readonly event_id: string;
  readonly receipt: string;
  /** How many runs the two deliveries started. */
  readonly runs: number;
  readonly sent_at_ms: number;
  readonly answered_in_ms: number;
  readonly progress: RunProgress;
  /** What the workflow would publish; null when it asked for a person instead. */
  readonly comment: string | null;
}

interface Totals {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cost: number;
  readonly calls: number;
}

const totalsOf = ({ stages }: RunProgress): Totals => {
  const used = stages.flatMap(({ usage }) => (usage === null ? [] : [usage]));
  return {
    input_tokens: used.reduce((sum, usage) => sum + usage.input_tokens, 0),
    output_tokens: used.reduce((sum, usage) => sum + usage.output_tokens, 0),
    cost: used.reduce((sum, usage) => sum + usage.total_cost, 0),
    calls: used.reduce((sum, usage) => sum + usage.call_count, 0),
  };
};

const failureOf = ({ progress, runs }: Outcome): string | null => {
  if (progress.status !== "completed") {
    return `The run did not complete: ${progress.status ?? "it is not over"}${progress.error === null ? "" : `, ${progress.error}`}`;
  }
  const failed = progress.stages.find(({ status }) => status === "failed");
  if (failed !== undefined)
    return `The stage ${failed.node_id} failed: ${failed.error ?? failed.branch ?? "no reason given"}`;
  return runs === 1 ? null : `The two deliveries started ${runs} runs instead of one.`;
};

/** Shows the result. True when everything is as it should be. */
export const showOutcome = (screen: Screen, outcome: Outcome): boolean => {
  const { paint } = screen;
  const { progress, comment, sent_at_ms: sent } = outcome;
  const failure = failureOf(outcome);
  if (comment !== null) {
    screen.line();
    screen.line(`${paint("bold", "Result")}  the comment for the issue`);
    screen.line();
    for (const line of comment.trimEnd().split("\n")) screen.line(`  ${paint("cyan", "│")} ${line}`.trimEnd());
  } else if (failure === null) {
    screen.line();
    screen.line(paint("yellow", "The workflow found no complete answer and asked for a person (stage ask_a_person)."));
  }
  const { calls, input_tokens, output_tokens, cost } = totalsOf(progress);
  screen.line();
  if (failure === null) {
    const total = duration((progress.ended_at_ms ?? sent) - sent);
    const first = duration((progress.first_stage_at_ms ?? sent) - sent);
    screen.line(paint("green", `✔ ${progress.stages.length} stages completed, one run for two deliveries`));
    screen.fact("time", `first stage ${first} after the webhook was sent, all done after ${total}`);
    screen.fact("model", `${calls} calls, ${input_tokens} tokens in, ${output_tokens} tokens out, ${money(cost)}`);
  } else screen.line(paint("red", `✘ ${failure}`));
  screen.fact("run", `${outcome.url}/v1/runs/${outcome.run_id}`);
  if (outcome.dashboard !== null) screen.fact("dashboard", outcome.dashboard);
  screen.fact("docs", `${outcome.url}/docs`);
  return failure === null;
};

const KEY_COMMAND: Readonly<Record<RootKey["origin"], readonly string[]>> = {
  environment: [],
  file: ["export GODWIT_ROOT_KEY=$(sed -n 's/^GODWIT_ROOT_KEY=//p' .dev.vars)"],
  made: ["export GODWIT_ROOT_KEY=$(sed -n 's/^GODWIT_ROOT_KEY=//p' .dev.vars)"],
};

const webhookCommands = (url: string, secret: string): readonly string[] => [
  "BODY=examples/github-issues-opened.json",
  `SIGNATURE=$(openssl dgst -sha256 -hmac ${secret} < $BODY | sed 's/^.* //')`,
  `curl -s ${url}/hooks/issue-triage -H 'X-GitHub-Event: issues' -H "X-GitHub-Delivery: $(date +%s)" \\`,
  `  -H "X-Hub-Signature-256: sha256=$SIGNATURE" -H 'Content-Type: application/json' --data-binary @$BODY`,
];

/** Says what to try next. */
export const showNext = (
  screen: Screen,
  {
    outcome,
    keep,
    secret,
    root_key: origin,
  }: {
    readonly outcome: Outcome;
    readonly keep: boolean;
    readonly secret: string;
    readonly root_key: RootKey["origin"];
  },
): void => {
  const { url, run_id: run, event_id: event } = outcome;
  const get = (path: string): string => `curl -s "${url}${path}" -H "Authorization: Bearer $GODWIT_ROOT_KEY"`;
  screen.line();
  if (!keep) {
    screen.line("The engine stops now; `npm run demo -- --keep` goes on serving, and tells what to try then.");
    screen.line();
    return;
  }
  screen.line(screen.paint("bold", "Try next"));
  screen.line();
  const commands = [
    ...KEY_COMMAND[origin],
    get(`/v1/runs/${run}`),
    get(`/v1/runs/${run}/stages`),
    get(`/v1/events/${event}`),
    get("/v1/runs?limit=5"),
    "",
    "# the webhook once more, by hand",
    ...webhookCommands(url, secret),
  ];
  for (const command of commands) screen.line(command === "" ? "" : `  ${command}`);
  screen.line();
  screen.line("Ctrl-C stops the engine; nothing is lost by that.");
  screen.line();
};

/** The outcome as `--json` prints it. */
export const demoReport = (outcome: Outcome, startedInMs: number) => {
  const { progress, sent_at_ms: sent, ...rest } = outcome;
  const since = (moment: number | null): number | null => (moment === null ? null : moment - sent);
  return {
    ok: failureOf(outcome) === null,
    failure: failureOf(outcome),
    ...rest,
    answered_in_ms: Math.round(outcome.answered_in_ms),
    status: progress.status,
    started_in_ms: startedInMs,
    webhook_to_first_stage_ms: since(progress.first_stage_at_ms),
    webhook_to_completion_ms: since(progress.ended_at_ms),
    usage: totalsOf(progress),
    stages: progress.stages.map(({ started_at_ms: at, ...stage }) => ({ ...stage, started_after_ms: at - sent })),
  };
};
