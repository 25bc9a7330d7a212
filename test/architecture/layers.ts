/** How one layer may use another. */
export type Use = "all" | "types";

export interface Layer {
  readonly name: string;
  readonly files: RegExp;
  /** What it may import; itself always. */
  readonly may: Readonly<Record<string, Use>>;
}

const PURE = { lib: "all", schema: "all", engine: "all" } as const;

const SCHEMA_TYPES = { lib: "all", schema: "types" } as const;

/** The layer table (architecture 5). A layer is the first whose pattern a file matches. */
export const LAYERS: readonly Layer[] = [
  { name: "lib", files: /^src\/lib\//, may: { cel: "all", croner: "all" } },
  { name: "schema", files: /^src\/schema\//, may: { lib: "all", engine: "types", zod: "all" } },
  { name: "engine", files: /^src\/engine\//, may: { ...SCHEMA_TYPES, "line-diff": "all" } },
  { name: "ports", files: /^src\/ports\//, may: { ...SCHEMA_TYPES, uuid: "all" } },
  {
    name: "connectors",
    files: /^src\/(?:connectors|llm)\//,
    may: { lib: "all", schema: "all", ports: "types", "ai-sdk": "all", jose: "all", zod: "all" },
  },
  // Workflows written in TypeScript: types that the compiler checks, and the JSON they stand for.
  { name: "authoring", files: /^src\/authoring\//, may: { ...SCHEMA_TYPES, zod: "types" } },
  // What a deployment registers: its functions, tools and reducers.
  {
    name: "registered",
    files: /^src\/(?:finish-handlers|functions|reducers|tools)\.ts$/,
    may: { lib: "all", ports: "types", executor: "all", zod: "all" },
  },
  {
    name: "executor",
    files: /^src\/(?:executor|driver)\//,
    may: {
      ...PURE,
      ports: "all",
      objects: "types",
      connectors: "all",
      registered: "all",
      addresses: "all",
      "ai-sdk": "all",
      "json-schema": "all",
    },
  },
  // The client of the API runs anywhere: it takes nothing of the server but types.
  {
    name: "client",
    files: /^src\/http\/(?:client\.ts$|client\/|server-sent-events\.ts$)/,
    may: { lib: "all", schema: "types", http: "types", zod: "types" },
  },
  {
    name: "http",
    files: /^src\/(?:http|queue|cron)\//,
    may: {
      ...PURE,
      ports: "all",
      connectors: "all",
      executor: "all",
      client: "all",
      objects: "types",
      cloudflare: "types",
      hono: "all",
      zod: "all",
    },
  },
  {
    name: "local",
    files: /^src\/local\//,
    may: {
      lib: "all",
      schema: "types",
      engine: "all",
      client: "all",
      examples: "all",
      node: "all",
      tools: "all",
      cloudflare: "all",
    },
  },
  { name: "cli", files: /^src\/cli\//, may: { lib: "all", schema: "types", client: "all", node: "all", tools: "all" } },
  {
    name: "dashboard",
    files: /^dashboard\//,
    may: { lib: "all", schema: "types", engine: "all", client: "all", tools: "all" },
  },
  { name: "examples", files: /^examples\//, may: { authoring: "all", registered: "all" } },
  { name: "root", files: /^src\/index\.ts$/, may: { http: "all", objects: "all" } },
  { name: "node-store", files: /^durable-objects\/storage\/sqlite-store\.ts$/, may: { objects: "types", node: "all" } },
  { name: "objects", files: /^durable-objects\//, may: { ...PURE, ports: "all", cloudflare: "all" } },
];

/** Packages and modules of the platform, by the name the table gives them. */
const OUTSIDE: readonly (readonly [RegExp, string])[] = [
  [/^cloudflare:/, "cloudflare"],
  [/^node:/, "node"],
  [/^zod$/, "zod"],
  [/^godwit\/authoring$/, "authoring"],
  [/^(?:hono|@hono)\b/, "hono"],
  [/^uuid$/, "uuid"],
  [/^(?:ai|@ai-sdk\/|workers-ai-provider)/, "ai-sdk"],
  [/^diff$/, "line-diff"],
  [/^@marcbachmann\/cel-js$/, "cel"],
  [/^croner$/, "croner"],
  [/^ipaddr\.js$/, "addresses"],
  [/^jose$/, "jose"],
  [/^@cfworker\/json-schema$/, "json-schema"],
];

/** The layer a file or package belongs to; packages for tools only are `tools`. */
export const layerOf = (path: string): string => {
  const layer = LAYERS.find(({ files }) => files.test(path));
  if (layer !== undefined) return layer.name;
  return OUTSIDE.find(([pattern]) => pattern.test(path))?.[1] ?? "tools";
};
