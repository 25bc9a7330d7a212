import { rfc3339, type Timestamp } from "../../lib/time.ts";

/** RFC 3339 in UTC, without a fraction of a second that is zero: how requests to people write times (spec/workers 0.2). */
export const momentText = (at: Timestamp): string => rfc3339(at).replace(".000Z", "Z");
