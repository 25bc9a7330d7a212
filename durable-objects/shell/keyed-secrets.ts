// The secrets of a trigger (spec/triggers 5.9). They come in and go out sealed; the object has no key to them.
//
// K1 At most two are valid: the current one, and until it expires the one before it.
// K2 A secret that is put again keeps its row: only a change of what is valid is a change.
// K3 What has expired or was replaced is deleted, at the latest when somebody looks.

import type { HeldSecret, ResealedSecret, SealedSecret } from "../../src/schema/trigger-secret.ts";
import type { TriggerSecrets } from "../../src/schema/trigger.ts";
import { isMigrated, migrate } from "../migrations/migration.ts";
import { TRIGGER } from "../migrations/trigger.ts";
import type { Store } from "../storage/store.ts";

interface Row extends HeldSecret {
  readonly digest: string;
  readonly created_at_ms: number;
}

/** How a secret is rotated in. */
export interface Rotation {
  readonly now: number;
  /** How long the secret before stays valid. */
  readonly overlap_ms: number;
  /** A secret that was made for this request: repeated, it is not rotated back in. */
  readonly is_generated: boolean;
}

/** What putting a secret came to. */
export interface KeptSecret {
  /** The same for as long as the secret is kept. */
  readonly id: string;
  readonly changed: boolean;
}

const SELECT = "SELECT id, sealed, digest, created_at_ms, expires_at_ms FROM secret";

/** The secrets of one trigger. Methods that change something are called inside a transaction. */
export class KeyedSecrets {
  readonly #store: Store;
  #isReady = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether putting a secret, or none, would change what is valid. */
  changes(secret: SealedSecret | null, now: number): boolean {
    const current = this.#current(now);
    return current === undefined ? secret !== null : secret === null || !isSame(current, secret);
  }

  /** Puts a secret in the place of all before; without one all are forgotten. */
  put(secret: SealedSecret | null, now: number): KeptSecret | null {
    const current = this.#current(now);
    if (secret !== null && current !== undefined && isSame(current, secret)) return this.#keep(current, secret);
    this.drop();
    return secret === null ? null : this.#insert(secret, now);
  }

  /** Makes a secret the current one. The one before stays valid for the overlap, an older one ends at once (K1). */
  rotate(secret: SealedSecret, { now, overlap_ms: overlap, is_generated: isGenerated }: Rotation): KeptSecret {
    const rows = this.#rows(now);
    const current = rows.find(isCurrent);
    const same = rows.find((row) => isSame(row, secret));
    if (same !== undefined && (isCurrent(same) || isGenerated)) return this.#keep(same, secret);
    this.#store.write("DELETE FROM secret WHERE id <> ?", overlap > 0 ? (current?.id ?? "") : "");
    this.#store.write("UPDATE secret SET expires_at_ms = ?", now + overlap);
    return this.#insert(secret, now);
  }

  /** The secrets that are valid now, sealed, the current one first. */
  held(now: number): readonly HeldSecret[] {
    return this.#rows(now).map(({ id, sealed, expires_at_ms }) => ({ id, sealed, expires_at_ms }));
  }

  /** Says which secrets are valid: another text as soon as others are, whatever they are sealed under. */
  tag(now: number): string {
    return this.#rows(now)
      .map(({ id }) => id)
      .join(" ");
  }

  /** What may be shown. */
  view(now: number): TriggerSecrets {
    const rows = this.#rows(now);
    const current = rows.find(isCurrent);
    const previous = rows.find((row) => !isCurrent(row));
    return {
      current: current === undefined ? null : { created_at: timeText(current.created_at_ms) },
      previous:
        previous === undefined
          ? null
          : { created_at: timeText(previous.created_at_ms), expires_at: timeText(previous.expires_at_ms ?? 0) },
    };
  }

  /** Replaces sealed texts by others of the same secrets; those that are not held any more are left out. */
  reseal(secrets: readonly ResealedSecret[]): void {
    if (!this.#ready()) return;
    for (const { id, sealed, digest } of secrets)
      this.#store.write("UPDATE secret SET sealed = ?, digest = ? WHERE id = ?", sealed, digest, id);
  }

  /** Forgets every secret. */
  drop(): void {
    if (this.#ready()) this.#store.write("DELETE FROM secret");
  }

  #insert({ sealed, digests: [digest] }: SealedSecret, now: number): KeptSecret {
    this.#store.write(
      "INSERT OR REPLACE INTO secret (id, sealed, digest, created_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, NULL)",
      digest,
      sealed,
      digest,
      now,
    );
    return { id: digest, changed: true };
  }

  /** The secret stays; it only moves under the key that seals now. */
  #keep({ id, digest: before }: Row, { sealed, digests: [digest] }: SealedSecret): KeptSecret {
    if (before !== digest) this.reseal([{ id, sealed, digest }]);
    return { id, changed: false };
  }

  #current(now: number): Row | undefined {
    return this.#rows(now).find(isCurrent);
  }

  #rows(now: number): readonly Row[] {
    if (!this.#ready()) return [];
    const rows = this.#store.query(`${SELECT} ORDER BY expires_at_ms IS NOT NULL`).map(rowOf);
    const valid = rows.filter(({ expires_at_ms: at }) => at === null || at > now);
    if (valid.length < rows.length) this.#store.write("DELETE FROM secret WHERE expires_at_ms <= ?", now);
    return valid;
  }

  /** Whether there is a table; that of an earlier version held secrets as they are, and goes with the first look. */
  #ready(): boolean {
    if (this.#isReady) return true;
    if (!isMigrated(this.#store, TRIGGER)) return false;
    this.#store.transaction(() => migrate(this.#store, TRIGGER));
    this.#isReady = true;
    return true;
  }
}

const isCurrent = ({ expires_at_ms: at }: Row): boolean => at === null;

const isSame = ({ digest }: Row, { digests }: SealedSecret): boolean => digests.includes(digest);

const timeText = (ms: number): string => new Date(ms).toISOString();

const rowOf = (row: Readonly<Record<string, unknown>>): Row => ({
  id: String(row["id"]),
  sealed: String(row["sealed"]),
  digest: String(row["digest"]),
  created_at_ms: Number(row["created_at_ms"]),
  expires_at_ms: row["expires_at_ms"] === null ? null : Number(row["expires_at_ms"]),
});
