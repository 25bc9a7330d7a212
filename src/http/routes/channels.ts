import { blankAsNull } from "../../engine/worker/awakening.ts";
import { digestOf } from "../../lib/digest.ts";
import { inLanes } from "../../lib/in-lanes.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import { uuidIds } from "../../ports/ids.ts";
import { channelEventSchema, publishedEventSchema } from "../../schema/api-channel.ts";
import type { Call } from "../call.ts";
import { type ChannelListener, listListeners } from "../channel-rows.ts";
import { Fault } from "../fault.ts";
import { idFor } from "../idempotency.ts";
import { invalid } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { workerObject } from "../worker-object.ts";

const CHANNEL = /^[A-Za-z0-9._-]{1,200}$/;

const PAGE = 100;

/** Workers that are told at the same time. */
const LANES = 6;

interface Published {
  readonly event_id: string;
  readonly channel: string;
  readonly input: Json;
  readonly trigger_event: JsonObject;
}

type Heard = readonly [worker: string, heard: "resumed" | "noted" | "not_listening"];

/** Tells one listener; a worker that is gone listens no more, one that cannot be reached makes the request fail. */
const tell = async (call: Call, listener: ChannelListener, event: Published): Promise<Heard> => {
  const { worker_id, suspended_at } = listener;
  const { channel, input, trigger_event } = event;
  const command = { type: "hear", channel, suspended_at, input, trigger_event } as const;
  const key = `channel:${event.event_id}`;
  // Without a key of the caller nobody repeats the event.
  const again = call.idempotency_key === null ? undefined : { key, request_digest: digestOf([key, input]) };
  const answer = await workerObject(call.env, call.tenant, worker_id).request(command, again);
  if (!answer.ok && answer.rejection.code === "unavailable") throw new Fault(answer.rejection.detail, null);
  return [worker_id, answer.ok ? (answer.reply.heard ?? "not_listening") : "not_listening"];
};

const publish = async (call: Call, event: Published): Promise<readonly Heard[]> => {
  const { env, tenant } = call;
  const heard: Heard[] = [];
  for (let after = ""; ;) {
    const page = await listListeners(env.DB, { tenant, channel: event.channel, after }, PAGE);
    heard.push(...(await inLanes(page, LANES, (listener) => tell(call, listener, event))));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return heard;
    after = last.listener_id;
  }
};

/** Channels: events that wake the workers which listen (spec/workers 18.1; 30, 5). */
export const addChannelRoutes = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/channels/{channel}/events",
      operation: "publish_event",
      tag: "Workers",
      access: "workers",
      summary: "Publish an event on a channel",
      description:
        "It wakes every suspended worker that listens on the channel (`conditions.on_event`) with `payload` as its task, and is kept for nobody else. Repeat it with the same Idempotency-Key when no answer came: no worker hears it twice.",
      body: { name: "ChannelEvent", schema: channelEventSchema },
      reply: { status: 200, description: "Who heard it", name: "PublishedEvent", schema: publishedEventSchema },
      problems: ["unavailable"],
    },
    async ({ params, body, call }) => {
      const { channel } = params;
      if (!CHANNEL.test(channel))
        return invalid([{ path: "channel", message: "must be letters, digits, `.`, `_` and `-`" }]);
      const known = idFor(call, "publish_event");
      const event_id = known === null ? uuidIds("event") : `event_${known}`;
      const { payload = null } = body;
      const trigger_event = {
        id: event_id,
        provider: "channel",
        kind: channel,
        dedupe_key: event_id,
        provider_payload: { raw: payload },
      };
      const heard = await publish(call, { event_id, channel, input: blankAsNull(payload), trigger_event });
      const those = (how: Heard[1]): readonly string[] => heard.flatMap(([id, what]) => (what === how ? [id] : []));
      return done({ event_id, channel, resumed: those("resumed"), noted: those("noted") });
    },
  );
