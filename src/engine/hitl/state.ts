import type { Json } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { Asking } from "./envelope.ts";
import type { ApprovalRecord, HitlResponse, Tally } from "./response.ts";
import type { Waitpoint } from "./waitpoint.ts";

/** Where a request stands; all but `open` are final. */
export type RequestStatus = "open" | "answered" | "approved" | "denied" | "accepted" | "timed_out" | "cancelled";

/** A request to people. */
export interface HitlRequest {
  readonly asking: Asking;
  /** When it is over by itself; null for never. */
  readonly deadline_ms: Timestamp | null;
  readonly status: RequestStatus;
  /** What waits for it: open until it is answered, cancelled by a denial as well (spec/workers 24.5). */
  readonly waitpoint: Waitpoint;
  readonly tally: Tally;
  /** How many responses are recorded. */
  readonly responses: number;
  /** What the answer's schema says against it; null for nothing. */
  readonly misfit: string | null;
  readonly settled_at: string | null;
  /** The guarded action was carried out (spec/workers 24.6). */
  readonly executed: boolean;
}

/** The state of the machine; null before anything is asked. */
export type HitlState = HitlRequest | null;

/** What happens to a request; each is a line of the audit (spec/workers 24.1). */
export type HitlEvent =
  | { readonly type: "requested"; readonly asking: Asking }
  | {
      readonly type: "responded";
      readonly response: HitlResponse;
      /** What the question's schema says against the answer, where it does not fit. */
      readonly misfit?: string;
    }
  | { readonly type: "approved"; readonly record: ApprovalRecord }
  | { readonly type: "denied"; readonly reviewer: string | null; readonly reason: string | null; readonly at: string }
  | { readonly type: "timed_out"; readonly at: string }
  | { readonly type: "cancelled"; readonly reason: string | null; readonly at: string }
  /** Without a result where the journal that it stands in has it already. */
  | { readonly type: "executed"; readonly result?: Json };

/** What a request can be told. */
export type HitlCommand =
  | { readonly type: "ask"; readonly asking: Asking }
  /** `misfit`: whoever can validate tells what the question's schema says against the answer. */
  | {
      readonly type: "respond";
      readonly response: Omit<HitlResponse, "responded_at"> & { readonly responded_at?: string };
      readonly misfit?: string | null;
    }
  /** Looks whether the deadline has passed. */
  | { readonly type: "expire" }
  | { readonly type: "cancel"; readonly reason: string | null }
  | { readonly type: "executed"; readonly result?: Json };

/** Where the request stands now. */
export interface HitlReply {
  readonly status: RequestStatus;
  /** The response came in time and from somebody whose word counts. */
  readonly counted: boolean;
}
