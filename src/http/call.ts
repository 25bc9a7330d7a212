import type { Scope } from "../schema/api-key.ts";

/** The bindings and settings of the Worker. */
export type Bindings = Env;

/** Who calls. */
export interface Principal {
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  /** The root key may act for every tenant. */
  readonly is_root: boolean;
}

/** One request below `/v1` or beside it, as far as handlers need to know it. */
export interface Call {
  readonly env: Bindings;
  readonly request: Request;
  readonly request_id: string;
  /** The tenant the call acts for. */
  readonly tenant: string;
  readonly principal: Principal;
  /** The caller's key for repeating this request safely. */
  readonly idempotency_key: string | null;
  /** Goes on after the answer has left. */
  readonly waitUntil: (work: Promise<unknown>) => void;
}

/** The moment as every time on the wire is written. */
export const nowText = (): string => new Date(Date.now()).toISOString();
