import * as z from "zod";
import { anyJson } from "./api.ts";

/** Body of `POST /v1/channels/{channel}/events`. */
export const channelEventSchema = z
  .object({ payload: anyJson.optional().describe("What the workers that are woken get as their task") })
  .readonly();

/** Answer of `POST /v1/channels/{channel}/events`. */
export const publishedEventSchema = z
  .object({
    event_id: z.string(),
    channel: z.string(),
    resumed: z.array(z.string()).readonly().describe("Workers that go on with it"),
    noted: z.array(z.string()).readonly().describe("Workers that go on as soon as they have come to rest"),
  })
  .readonly();
