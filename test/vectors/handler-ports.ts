import type { HandlerPorts } from "../../src/executor/handlers/ports.ts";
import { createRegistry } from "../../src/executor/registry.ts";
import type { System } from "./system.ts";

/** What the calls of handlers reach: scripted agents, the system's queues, and no functions. */
export const handlerPortsOf = (system: System): HandlerPorts => ({
  env: { GODWIT_ALLOW_PRIVATE_HOSTS: system.agents.authorities.join(",") },
  fetcher: system.agents.fetch,
  functions: createRegistry({}),
  now: () => system.clock.now,
  enqueue: async (queue, request) => system.queues.named(queue).enqueue(request),
});
