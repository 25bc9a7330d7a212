import type { BodyRef } from "../lib/body-marker.ts";

/** A body as it is stored, for answers that pass it on without reading it. */
export interface StoredBody {
  readonly stream: ReadableStream;
  readonly content_type: string;
  readonly size: number;
}

/** Where long texts are kept, each under the digest of its content and apart for each tenant. */
export interface Blobs {
  /** Keeps a text; keeping it again changes nothing. */
  readonly put: (text: string) => Promise<BodyRef>;
  /** The text of a reference, or as many UTF-16 units of its beginning as asked for; null when there is no such body. */
  readonly get: (ref: BodyRef, units?: number) => Promise<string | null>;
  readonly has: (ref: BodyRef) => Promise<boolean>;
  readonly open: (ref: BodyRef) => Promise<StoredBody | null>;
}
