import { createMCPClient, type MCPClient, type MCPClientConfig } from "@ai-sdk/mcp";
import { isObject, type Json, type JsonObject } from "../../../lib/json.ts";
import { err, ok, type Result } from "../../../lib/result.ts";
import type { StageFailure } from "../../../ports/stage-failure.ts";
import { startDeadline } from "../../deadline.ts";
import { egressRefusal } from "../../private-hosts.ts";
import type { RunnerContext } from "../../runner.ts";
import { createSecretFiller } from "../../secrets.ts";
import { annotationsOf, textField, timeoutOf, toolRefusal } from "./declaration.ts";
import { type AgentTool, NETWORK_TIMEOUT_MS, type ToolOutcome } from "./tool.ts";

/** The tools of an MCP server and the end of the session with it. */
export interface McpTools {
  readonly tools: readonly AgentTool[];
  readonly close: () => Promise<void>;
}

/** How many pages of tools a server may have. */
const MAX_PAGES = 20;

/** Connects to an MCP server over streamable HTTP and lists its tools; throws a `ToolServerFault` when it does not answer. */
export const openMcp = async (entry: JsonObject, context: RunnerContext): Promise<Result<McpTools, StageFailure>> => {
  const { mcp } = entry;
  if (!isObject(mcp)) return toolRefusal("tools: mcp is not an object");
  const address = addressOf(mcp, context);
  if (!address.ok) return address;
  const limit = timeoutOf(mcp, NETWORK_TIMEOUT_MS);
  const calling: Calling = { key: undefined };
  const transport = { type: "http" as const, ...address.value, fetch: guardedFetch(context, calling) };
  const { client, listed } = await connect(transport, { signal: context.signal, timeout: limit }).catch(
    (cause: unknown) => {
      throw new ToolServerFault(new URL(address.value.url).host, cause);
    },
  );
  const tools = toolsOf({ entry, mcp, client, limit, calling }, listed);
  return ok({ tools, close: async () => closeSoon(client) });
};

/** How long to wait for the server to end the session. */
const CLOSE_MS = 2_000;

const closeSoon = async (client: MCPClient): Promise<void> => {
  const deadline = startDeadline(CLOSE_MS, new AbortController().signal);
  await Promise.race([client.close(), deadline.expired])
    .catch(() => undefined)
    .finally(() => deadline.stop());
};

interface Calling {
  key: string | undefined;
}

/** A tool server that did not answer as one. */
export class ToolServerFault extends Error {
  readonly code = "tool_server_fault";

  constructor(host: string, cause: unknown) {
    super(`the MCP server ${host} could not be used: ${cause instanceof Error ? cause.message : "no answer"}`, {
      cause,
    });
    this.name = "ToolServerFault";
  }
}

interface RequestLimits {
  readonly signal: AbortSignal;
  readonly timeout: number;
}

const connect = async (transport: MCPClientConfig["transport"], options: RequestLimits) => {
  const client = await createMCPClient({
    transport,
    clientName: "godwit",
    initializationOptions: options,
    onUncaughtError: () => undefined,
  });
  const listed = await listTools(client, options).catch(async (error: unknown) => {
    await client.close();
    throw error;
  });
  return { client, listed };
};

interface Server {
  readonly entry: JsonObject;
  readonly mcp: JsonObject;
  readonly client: MCPClient;
  readonly limit: number;
  readonly calling: Calling;
}

type Listed = Awaited<ReturnType<MCPClient["listTools"]>>["tools"];

const toolsOf = ({ entry, mcp, client, limit, calling }: Server, listed: Listed): readonly AgentTool[] => {
  const prefix = textField(mcp, "name") || textField(entry, "name");
  const wanted = Array.isArray(mcp["tools"]) ? new Set(mcp["tools"] as readonly Json[]) : null;
  return listed
    .filter(({ name }) => wanted === null || wanted.has(name))
    .map((definition): AgentTool => ({
      name: prefix === "" ? definition.name : `${prefix}_${definition.name}`,
      ...(prefix === "" ? {} : { server: prefix }),
      description: definition.description ?? "",
      parameters: definition.inputSchema as JsonObject,
      annotations: annotationsOf(entry["policy"]),
      timeout_ms: limit,
      // The schema is the server's: a pattern in it may be built to run for ever.
      checks_arguments: true,
      execute: async (args, { idempotency_key, signal }) => {
        calling.key = idempotency_key;
        const answer = client.callTool({ name: definition.name, arguments: args, options: { signal } });
        return outcomeOf(await answer.finally(() => (calling.key = undefined)));
      },
    }));
};

const listTools = async (client: MCPClient, options: RequestLimits): Promise<Listed> => {
  const tools: Listed = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const listed = await client.listTools({ options, ...(cursor === undefined ? {} : { params: { cursor } }) });
    tools.push(...listed.tools);
    cursor = listed.nextCursor;
    if (cursor === undefined) break;
  }
  return tools;
};

interface Address {
  readonly url: string;
  readonly headers: Record<string, string>;
}

const addressOf = (mcp: JsonObject, { env }: RunnerContext): Result<Address, StageFailure> => {
  const filler = createSecretFiller(env);
  const url = filler.text(textField(mcp, "url")).text;
  const given = isObject(mcp["headers"]) ? mcp["headers"] : {};
  const headers = Object.entries(given).map(([name, value]) => [name, filler.text(String(value)).text] as const);
  const missing = filler.missing()[0];
  if (missing !== undefined) {
    return err({
      category: "auth",
      message: `the secret "${missing}" is not configured: set GODWIT_SECRET_${missing}`,
    });
  }
  if (!URL.canParse(url)) return toolRefusal("tools: mcp.url is not an absolute URL");
  const refusal = egressRefusal(new URL(url), env.GODWIT_ALLOW_PRIVATE_HOSTS);
  if (refusal !== undefined) return err({ category: "egress_blocked", message: refusal });
  return ok({ url, headers: Object.fromEntries(headers) });
};

/** The stage's fetch under its rules; calls of tools carry their idempotency key. */
const guardedFetch =
  ({ env, fetcher }: RunnerContext, calling: Readonly<Calling>): typeof fetch =>
  async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const refusal = egressRefusal(url, env.GODWIT_ALLOW_PRIVATE_HOSTS);
    if (refusal !== undefined) throw new Error(refusal);
    // The stream for messages that the server begins: nobody here would listen.
    if (init?.method === "GET") return new Response(null, { status: 405 });
    const headers = new Headers(init?.headers);
    if (calling.key !== undefined) headers.set("idempotency-key", calling.key);
    // Redirects are refused by hand: the platform has no mode for it.
    const response = await fetcher(url.href, { ...init, headers, redirect: "manual" } as RequestInit);
    if (response.status >= 300 && response.status < 400) throw new Error(`the MCP server ${url.host} redirects`);
    return response;
  };

type McpAnswer = Awaited<ReturnType<MCPClient["callTool"]>>;

const outcomeOf = (answer: McpAnswer): ToolOutcome => {
  const { content, structuredContent, isError } = answer as {
    readonly content?: readonly JsonObject[];
    readonly structuredContent?: Json;
    readonly isError?: boolean;
  };
  const text = (content ?? [])
    .map((part) => (part["type"] === "text" ? textField(part, "text") : `<${textField(part, "type")}>`))
    .join("\n");
  if (isError === true) return err({ category: "tool_error", message: text || "the tool failed" });
  return ok(structuredContent ?? text);
};
