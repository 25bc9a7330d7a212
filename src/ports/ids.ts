import { v7 } from "uuid";

/** Fresh ids for a `Context`: `<prefix>_<uuid v7>`, or the bare uuid for an empty prefix (spec/workflow 0.4). */
export const uuidIds = (prefix: string): string => (prefix === "" ? v7() : `${prefix}_${v7()}`);
