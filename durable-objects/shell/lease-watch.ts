/** What a lease guards: one attempt of one stage. */
export interface LeasedAttempt {
  readonly attempt_token: string;
  readonly lease_ms: number;
}

/** A driver renews every three seconds; after a restart of the object it has this long to be heard again. */
const GRACE_MS = 5_000;

/**
 * Remembers, in memory only, until when the current attempt's holder counts as alive.
 *
 * Renewals write no row. What a restart of the object forgets is bridged by a grace period: a holder that is alive
 * renews within it, one that is not loses its lease a little later.
 */
export class LeaseWatch {
  readonly #loadedAt: number;
  #token: string | null = null;
  #expiresAt = 0;
  /** Set when every driver is known to be dead, because the process they ran in has ended. */
  #driversDied = false;

  constructor(loadedAt: number) {
    this.#loadedAt = loadedAt;
  }

  /** A holder was given the attempt, or gave a sign of life. */
  renew(attempt: LeasedAttempt, now: number): number {
    this.#token = attempt.attempt_token;
    this.#expiresAt = now + attempt.lease_ms;
    this.#driversDied = false;
    return this.#expiresAt;
  }

  /** Forgets every lease: their holders ended with the process they ran in. */
  expireAll(): void {
    this.#token = null;
    this.#driversDied = true;
  }

  /** When the attempt's lease ends, in milliseconds. */
  expiresAt(attempt: LeasedAttempt): number {
    if (this.#driversDied) return 0;
    if (attempt.attempt_token === this.#token) return this.#expiresAt;
    return this.#loadedAt + Math.min(GRACE_MS, attempt.lease_ms);
  }
}
