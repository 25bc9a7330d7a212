import type { Redaction } from "../redaction.ts";

/** What was kept of a stream: its beginning and its end, which follow each other where nothing was left out. */
export interface KeptOutput {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly total: number;
}

/** Keeps the beginning and the end of a stream, and counts what is between them. */
export class OutputKeeper {
  readonly #headLimit: number;
  readonly #tailLimit: number;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #total = 0;

  constructor(limit: number) {
    this.#headLimit = Math.floor(limit / 2);
    this.#tailLimit = limit - this.#headLimit;
  }

  push(chunk: Buffer): void {
    this.#total += chunk.length;
    const first = chunk.subarray(0, this.#headLimit - this.#headBytes);
    if (first.length > 0) {
      this.#head.push(first);
      this.#headBytes += first.length;
    }
    const rest = chunk.subarray(first.length);
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailBytes += rest.length;
    // Put together now and then, not for each chunk.
    if (this.#tailBytes > this.#tailLimit * 2) this.#tail = [this.#lastBytes()];
    this.#tailBytes = this.#tail.reduce((bytes, part) => bytes + part.length, 0);
  }

  kept(): KeptOutput {
    return { head: Buffer.concat(this.#head), tail: this.#lastBytes(), total: this.#total };
  }

  #lastBytes(): Buffer {
    return Buffer.from(lastOf(Buffer.concat(this.#tail), this.#tailLimit));
  }
}

const lastOf = (bytes: Buffer, count: number): Buffer => bytes.subarray(Math.max(0, bytes.length - count));

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

const lengthOfCharacter = (lead: number): number => (lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1);

/** At most so many first bytes, without a character that was cut in two. */
const headOf = (bytes: Buffer, count: number): Buffer => {
  const first = bytes.subarray(0, count);
  let lead = first.length - 1;
  while (lead > 0 && first.length - lead < 4 && isContinuation(first[lead])) lead -= 1;
  return first.length - lead < lengthOfCharacter(first[lead] ?? 0) ? first.subarray(0, lead) : first;
};

/** At most so many last bytes, without a character that was cut in two. */
const tailOf = (bytes: Buffer, count: number): Buffer => {
  const last = lastOf(bytes, count);
  let start = 0;
  while (start < 3 && isContinuation(last[start])) start += 1;
  return last.subarray(start);
};

/**
 * A stream as a text of at most so many bytes, beside the note that says how many were left out. What is no UTF-8 becomes
 * replacement characters.
 */
export const outputText = ({ head, tail, total }: KeptOutput, limit: number, secret: Redaction): string => {
  const all = total === head.length + tail.length ? Buffer.concat([head, tail]) : null;
  if (all !== null && total <= limit) return secret.hide(all.toString("utf8"));
  const half = Math.floor(limit / 2);
  const first = headOf(all ?? head, half);
  const last = tailOf(all ?? tail, limit - half);
  const left = total - first.length - last.length;
  return `${secret.hideInHead(first.toString("utf8"))}\n[${left} bytes left out]\n${secret.hideInTail(last.toString("utf8"))}`;
};
