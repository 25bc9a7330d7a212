import { SETTLING_STATUSES, UNSETTLED_STATUSES } from "../schema/trigger-event.ts";

const listed = (statuses: readonly string[]): string => `(${statuses.map((status) => `'${status}'`).join(", ")})`;

/** Events whose dispatch has not begun. */
export const UNSETTLED = `status IN ${listed(UNSETTLED_STATUSES)}`;

/** Those among them that neither a person nor the time of day is waited for. */
export const PENDING = `status IN ${listed(["accepted", "parked"])}`;

/** Events that were picked up and are not over. */
export const IN_FLIGHT = `status IN ${listed(SETTLING_STATUSES)}`;

const OPEN_STATUSES: readonly string[] = [...UNSETTLED_STATUSES, ...SETTLING_STATUSES];

/** Events that are not over, word for word the condition of the index `events_open`. */
export const OPEN = `status IN ${listed(OPEN_STATUSES)}`;

/** Whether an event of a status is not over. */
export const isOpenStatus = (status: string): boolean => OPEN_STATUSES.includes(status);
