import { cpus } from "node:os";
import { benchIntake } from "./intake.ts";
import { type BenchServer, startServer } from "./server.ts";
import { benchWorkers } from "./workers.ts";
import { quantile, ratios, rounded, spreadOf } from "./statistics.ts";

// `npm run bench`: Godwit, Cloudflare Workflows and the floor in one process, in alternating rounds. Only figures of one
// run may be compared; the ratio of a round is taken within the round. `--rounds N` (at least 7, 15 unless said), `--skip-long`.
// `--only intake`: deliveries to the local server instead, `--only workers`: workers on it, which nothing is compared with.

const CONTENDERS = ["godwit", "workflows", "floor"] as const;
type Contender = (typeof CONTENDERS)[number];

interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Samples by contender, one a round. */
  readonly samples: Readonly<Record<Contender, readonly number[]>>;
}

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

const ONE_STAGE_RUNS = 40;

/** One round of a contender: its figures by name. */
const measure = async (server: BenchServer, contender: Contender): Promise<Readonly<Record<string, number>>> => {
  const hundred = await timed(() => server.get(`/${contender}?steps=100`));
  const single: number[] = [];
  for (let i = 0; i < ONE_STAGE_RUNS; i++) single.push(await timed(() => server.get(`/${contender}?steps=1`)));
  const many = await timed(() => server.get(`/${contender}?steps=5&runs=200&concurrency=50`));
  return {
    "100-stage run, a step": hundred / 100,
    "one-stage run, p50": quantile(single, 0.5),
    "one-stage run, p99": quantile(single, 0.99),
    "200 runs of 5 stages, 50 at a time": 1_000 / (many / 1_000),
  };
};

const UNITS: Readonly<Record<string, string>> = { "200 runs of 5 stages, 50 at a time": "steps/s" };

const rounds = async (server: BenchServer, count: number): Promise<readonly Figure[]> => {
  const taken = new Map<string, Record<Contender, number[]>>();
  for (let round = 0; round <= count; round++) {
    // Each round starts with another contender, so that none always runs on a machine the others have warmed up.
    const order = CONTENDERS.map((_, index) => CONTENDERS[(index + round) % CONTENDERS.length] as Contender);
    for (const contender of order) {
      const figures = await measure(server, contender);
      if (round === 0) continue;
      for (const [name, value] of Object.entries(figures)) {
        const samples = taken.get(name) ?? { godwit: [], workflows: [], floor: [] };
        samples[contender].push(value);
        taken.set(name, samples);
      }
    }
    process.stderr.write(round === 0 ? "warmed up\n" : `round ${round} of ${count}\n`);
  }
  return [...taken].map(([name, samples]) => ({ name, unit: UNITS[name] ?? "ms", samples }));
};

const LONG_STEPS = 5_000;

/** The first and the last hundred steps of a long run: what a step costs must not depend on the steps before it. */
const longRuns = async (server: BenchServer): Promise<void> => {
  for (const contender of ["godwit", "floor"] as const) {
    const quotients: number[] = [];
    for (let round = 0; round < 3; round++) {
      const marks = (await server.get(`/${contender}?steps=${LONG_STEPS}`)) as Record<string, number>;
      const [first, last] = [marks["first_hundred_ms"] ?? Number.NaN, marks["last_hundred_ms"] ?? Number.NaN];
      quotients.push(last / first);
      print({ figure: `${LONG_STEPS}-stage run`, contender, round, first_hundred_ms: first, last_hundred_ms: last });
    }
    print({
      figure: `${LONG_STEPS}-stage run, last hundred / first hundred`,
      contender,
      ...round3(spreadOf(quotients)),
    });
  }
};

const print = (line: Readonly<Record<string, unknown>>): void => console.log(JSON.stringify(line));

const round3 = (figures: object): Record<string, number> =>
  Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, rounded(value as number)]));

const report = (figures: readonly Figure[]): void => {
  const table: Record<string, Record<string, string | number>> = {};
  for (const { name, unit, samples } of figures) {
    for (const contender of CONTENDERS)
      print({ figure: name, unit, contender, ...round3(spreadOf(samples[contender])) });
    const toFloor = unit === "ms" ? ratios(samples.godwit, samples.floor) : ratios(samples.floor, samples.godwit);
    const toWorkflows =
      unit === "ms" ? ratios(samples.workflows, samples.godwit) : ratios(samples.godwit, samples.workflows);
    print({ figure: name, ratio: "godwit takes this many times the floor", ...round3(spreadOf(toFloor)) });
    print({ figure: name, ratio: "godwit is this many times as fast as Workflows", ...round3(spreadOf(toWorkflows)) });
    const cell = (values: readonly number[]): string => {
      const { median, min, max } = round3(spreadOf(values));
      return `${median} [${min}-${max}]`;
    };
    table[`${name} (${unit})`] = {
      Godwit: cell(samples.godwit),
      Workflows: cell(samples.workflows),
      floor: cell(samples.floor),
      "x floor": rounded(quantile(toFloor, 0.5)),
      "x as fast as Workflows": rounded(quantile(toWorkflows, 0.5)),
    };
  }
  console.table(table);
};

const argument = (name: string): string | undefined => {
  const index = process.argv.indexOf(name);
  return index < 0 ? undefined : process.argv[index + 1];
};

const compare = async (count: number): Promise<void> => {
  const server = await startServer();
  try {
    const figures = await rounds(server, count);
    if (!process.argv.includes("--skip-long")) await longRuns(server);
    report(figures);
  } finally {
    await server.close();
  }
};

const only = argument("--only");
if (only !== undefined && only !== "intake" && only !== "workers")
  throw new Error("--only takes `intake` or `workers`");
const count = Math.max(7, Number(argument("--rounds") ?? 15));
print({
  machine: cpus()[0]?.model,
  cores: cpus().length,
  node: process.version,
  ...(only === undefined ? { rounds: count } : {}),
  at: new Date().toISOString(),
});
await (only === undefined ? compare(count) : only === "intake" ? benchIntake(print) : benchWorkers(print));
