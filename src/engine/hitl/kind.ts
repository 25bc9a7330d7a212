import { err, ok, type Result } from "../../lib/result.ts";

/** What people can be asked for (spec/workers 24.1). */
export const HITL_KINDS = ["question", "approval", "dual_control", "escalation"] as const;

/** What a person is asked for (spec/workers 24.1). */
export type HitlKind = (typeof HITL_KINDS)[number];

/** True for the name of a kind. */
export const isHitlKind = (value: unknown): value is HitlKind => HITL_KINDS.some((kind) => kind === value);

/** The topic of each kind's records (spec/workers 24.1). */
export const HITL_TOPICS: Readonly<Record<HitlKind, string>> = {
  question: "hitl.questions",
  approval: "hitl.approvals",
  dual_control: "hitl.dual_control",
  escalation: "hitl.escalations",
};

/** The kind of a request, told by the prefix of its id; the error is that of an id without one (spec/workers 24.2, 24.5). */
export const kindOfRequest = (requestId: string): Result<HitlKind, string> => {
  const kind = HITL_KINDS.find((name) => requestId.startsWith(`hitl_${name}_`));
  return kind === undefined ? err(`unknown HITL request id '${requestId}'`) : ok(kind);
};

/** The dispatch that a request is made in; a replayed one names the event it replays. */
export interface AskingDispatch {
  readonly event_id: string;
  readonly replay_of_event_id?: string | null;
}

/** What the requests of one dispatch are counted by: each dispatch of an event counts from 1 (spec/workers 24.2). */
export const dispatchInstance = ({ event_id: id, replay_of_event_id: replayed }: AskingDispatch): string =>
  `${id}::${replayed ?? "live"}`;

/** What the ids of a dispatch's requests are made from: the event that was dispatched first. */
export const dispatchBase = ({ event_id: id, replay_of_event_id: replayed }: AskingDispatch): string => replayed ?? id;

/** The id of the nth request of something that asks in order: the same whenever it asks again (spec/workers 24.2). */
export const numberedRequestId = (kind: HitlKind, base: string, number: number): string =>
  `hitl_${kind}_${base}_${number}`;

/** The base of a numbered request's id; null for an id of another form. */
export const baseOfRequest = (requestId: string): string | null => {
  const kind = kindOfRequest(requestId);
  if (!kind.ok) return null;
  const rest = requestId.slice(`hitl_${kind.value}_`.length);
  return /^(.+)_\d+$/s.exec(rest)?.[1] ?? null;
};
