import type { UpdatePage } from "../../../durable-objects/projections/worker-updates.ts";
import type { PlacedUpdate } from "../../engine/worker/updates.ts";
import { workerEventPageSchema, workerEventQuery } from "../../schema/api-worker.ts";
import type { Call } from "../call.ts";
import { followEvents } from "../live-route.ts";
import type { Shown } from "../live.ts";
import { done, type Router } from "../router.ts";
import { workerNotFound, workerObject } from "../worker-object.ts";

const isEventId = (text: string): boolean => /^\d{1,15}$/.test(text);

const sourceOf = (call: Call, workerId: string) => () => {
  const worker = workerObject(call.env, call.tenant, workerId);
  return {
    events: (after: string | null, limit: number): Promise<UpdatePage | null> =>
      worker.updates(Number(after ?? 0), limit),
    fetch: (input: string, init?: RequestInit) => worker.fetch(input, init),
    show: <Event>(event: Event): Promise<Event> => Promise.resolve(event),
    ends: (event: Shown): boolean => (event as PlacedUpdate).terminal,
  };
};

/** The public events of a worker: a list, server-sent events, or a WebSocket (spec/workers 13). */
export const addWorkerEventRoutes = (router: Router): void =>
  router.add(
    {
      tag: "Workers",
      access: "workers",
      method: "get",
      path: "/v1/workers/{worker_id}/events",
      operation: "list_worker_events",
      summary: "List or follow the public events of a worker",
      description:
        "JSON by default. With `Accept: text/event-stream` server-sent events until the worker has ended, which the event `end` says; `Last-Event-ID` resumes, also after the worker was given more to do, and 204 means that nothing more will come by itself. With `Upgrade: websocket` each event is one JSON text; `after` resumes.",
      query: workerEventQuery,
      reply: {
        status: 200,
        description: "Events, oldest first",
        name: "WorkerEventPage",
        schema: workerEventPageSchema,
      },
      problems: ["worker_not_found"],
    },
    async ({ params, query, call }) => {
      const { worker_id: id } = params;
      const source = sourceOf(call, id);
      const stream = followEvents(call, {
        source,
        after: String(query.after),
        isEventId,
        notFound: () => workerNotFound(id),
      });
      if (stream !== null) return stream;
      const page = await source().events(String(query.after), query.limit);
      return page === null ? workerNotFound(id) : done(page);
    },
  );
