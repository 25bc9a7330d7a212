import { v7 } from "uuid";

const POOL_IDS = 256;
const ID_BYTES = 16;

const pool = new Uint8Array(POOL_IDS * ID_BYTES);
let used = pool.length;

/** Random bytes of one id; fetched for many ids at a time, because each fetch costs more than an id. */
const randomBytes = (): Uint8Array => {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  used += ID_BYTES;
  return pool.subarray(used - ID_BYTES, used);
};

/** Fresh ids for a `Context`: `<prefix>_<uuid v7>`, or the bare uuid for an empty prefix (spec/workflow 0.4). */
export const uuidIds = (prefix: string): string => {
  const id = v7({ random: randomBytes() });
  return prefix === "" ? id : `${prefix}_${id}`;
};
