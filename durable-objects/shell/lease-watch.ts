/** What a lease guards: one attempt of one stage, or of one branch of a map. */
export interface LeasedAttempt {
  readonly attempt_token: string;
  readonly lease_ms: number;
}

/** A driver renews every three seconds; after a restart of the object it has this long to be heard again. */
const GRACE_MS = 5_000;

/** Tokens kept at most before those that are over are forgotten. */
const MANY = 256;

/**
 * Remembers, in memory only, until when the holders of the current attempts count as alive.
 *
 * Renewals write no row. What a restart of the object forgets is bridged by a grace period: a holder that is alive
 * renews within it, one that is not loses its lease a little later.
 */
export class LeaseWatch {
  readonly #loadedAt: number;
  readonly #expiresAt = new Map<string, number>();
  /** Set when every driver is known to be dead, because the process they ran in has ended. */
  #driversDied = false;

  constructor(loadedAt: number) {
    this.#loadedAt = loadedAt;
  }

  /** A holder was given the attempt, or gave a sign of life. */
  renew(attempt: LeasedAttempt, now: number): number {
    if (this.#expiresAt.size >= MANY)
      for (const [token, expires] of this.#expiresAt) if (expires <= now) this.#expiresAt.delete(token);
    const expires = now + attempt.lease_ms;
    this.#expiresAt.set(attempt.attempt_token, expires);
    return expires;
  }

  /** Forgets every lease: their holders ended with the process they ran in. */
  expireAll(): void {
    this.#expiresAt.clear();
    this.#driversDied = true;
  }

  /** When the attempt's lease ends, in milliseconds. */
  expiresAt(attempt: LeasedAttempt): number {
    const known = this.#expiresAt.get(attempt.attempt_token);
    if (known !== undefined) return known;
    return this.#driversDied ? 0 : this.#loadedAt + Math.min(GRACE_MS, attempt.lease_ms);
  }
}
