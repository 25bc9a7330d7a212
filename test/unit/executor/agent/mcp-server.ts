import type { ServerResponse } from "node:http";
import { type LocalServer, startServer } from "../local-server.ts";

interface Request {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: { readonly name?: string; readonly arguments?: Record<string, unknown>; readonly cursor?: string };
}

const TOOLS = [
  {
    name: "add",
    description: "Adds two numbers.",
    inputSchema: { type: "object", properties: { a: { type: "number" } } },
  },
  { name: "fail", inputSchema: { type: "object" } },
  { name: "drop", inputSchema: { type: "object" } },
];

const callTool = ({ name, arguments: given = {} }: NonNullable<Request["params"]>): unknown => {
  if (name === "add") return { content: [{ type: "text", text: String(Number(given["a"]) + Number(given["b"])) }] };
  return { content: [{ type: "text", text: "it broke" }], isError: true };
};

const resultOf = ({ method, params = {} }: Request): unknown => {
  if (method === "initialize") {
    const serverInfo = { name: "test", version: "1" };
    return { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo };
  }
  // Two pages, so that a client has to ask again.
  if (method === "tools/list") {
    return params.cursor === undefined ? { tools: TOOLS.slice(0, 1), nextCursor: "2" } : { tools: TOOLS.slice(1) };
  }
  return method === "tools/call" ? callTool(params) : undefined;
};

const answer = (response: ServerResponse, request: Request, streams: boolean): void => {
  if (request.id === undefined) return void response.writeHead(202).end();
  const result = resultOf(request);
  const error = { code: -32601, message: "no such method" };
  const body = { jsonrpc: "2.0", id: request.id, ...(result === undefined ? { error } : { result }) };
  const headers = { "mcp-session-id": "session-1" };
  if (!streams || request.method !== "tools/call") {
    return void response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  }
  response.writeHead(200, { "content-type": "text/event-stream", ...headers });
  response.end(`event: message\ndata: ${JSON.stringify(body)}\n\n`);
};

/** A small MCP server over streamable HTTP; tool calls are answered as a stream of events where `streams` says so. */
export const startMcpServer = async (streams = false): Promise<LocalServer> =>
  startServer((request, response) => {
    if (request.method !== "POST") return void response.writeHead(request.method === "DELETE" ? 200 : 405).end();
    if (request.path === "/moved") return void response.writeHead(307, { location: "/mcp" }).end();
    const message = JSON.parse(request.body) as Request;
    if (message.params?.name === "drop") return void response.destroy();
    answer(response, message, streams);
  });
