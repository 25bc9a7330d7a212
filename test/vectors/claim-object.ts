import type { EventRecord } from "../../src/engine/trigger/event.ts";
import { claimIsExpired } from "../../src/engine/trigger/machine.ts";
import { byCodePoint, type JsonObject } from "../../src/lib/json.ts";
import type { StoredDefinition } from "../../src/schema/trigger-definition.ts";
import type { VirtualClock } from "./clock.ts";
import { TriggerHost } from "./trigger-host.ts";

const DAY_MS = 86_400_000;

/** Where a claim comes from: it is the kind of the event that holds it. */
type ClaimKind = "claim" | "legacy_claim";

interface Claim {
  readonly kind: ClaimKind;
  readonly dedupe_key: string;
  readonly ttl_ms: number;
}

/** A definition that handles no event, so that a claim's event is over at once and the claim ends with its time. */
const definitionFor = (ttlMs: number): StoredDefinition => ({
  provider: "webhook",
  kind: "webhook",
  match: { events: ["nothing"] },
  handler: { workflow: "nothing" },
  // Half a millisecond more than wanted: the part below a millisecond is cut off, and with it what the division loses.
  dedupe: { retention_days: (ttlMs + 0.5) / DAY_MS },
  max_body_bytes: 1,
});

/** The claims of one binding: events of the product, in its rows (spec/triggers 7.1). */
class ClaimObject {
  readonly #clock: VirtualClock;
  readonly #host: TriggerHost;

  constructor(clock: VirtualClock, bindingId: string) {
    this.#clock = clock;
    this.#host = new TriggerHost(bindingId, clock);
  }

  /** Accepts an event under the key; says whether it is the first, and whether it took the place of an expired one. */
  claim({ kind, dedupe_key, ttl_ms }: Claim): { readonly isNew: boolean; readonly isReclaimed: boolean } {
    const found = this.#host.shell.latest(dedupe_key)?.record ?? null;
    const isReclaimed = found !== null && claimIsExpired(found, this.#clock.now);
    const event = {
      provider: "webhook",
      kind,
      occurred_at: null,
      dedupe_key,
      headers: {},
      provider_payload: {},
      signature_status: { state: "verified" },
    } as const;
    this.#host.configure(definitionFor(ttl_ms));
    const { reply } = this.#host.accept({ tenant: null, event });
    return { isNew: reply?.type === "receipt" && !reply.duplicate, isReclaimed };
  }

  get records(): readonly EventRecord[] {
    return this.#host.keys.flatMap((key) => this.#host.shell.latest(key)?.record ?? []);
  }

  restart(): void {
    this.#host.restart();
  }

  close(): void {
    this.#host.close();
  }
}

/** The claims of all bindings, with the counters of their use. */
export class Claims {
  readonly #clock: VirtualClock;
  readonly #objects = new Map<string, ClaimObject>();
  /** Claims that this process has made or seen: duplicates of these are recognised without a look into storage. */
  readonly #seen = new Set<string>();
  #counts = { written: 0, fast: 0, durable: 0, expired: 0 };

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  claim(bindingId: string, claim: Claim): boolean {
    let object = this.#objects.get(bindingId);
    if (object === undefined) this.#objects.set(bindingId, (object = new ClaimObject(this.#clock, bindingId)));
    const { isNew, isReclaimed } = object.claim(claim);
    if (claim.kind === "legacy_claim") return isNew;
    const name = JSON.stringify([bindingId, claim.dedupe_key]);
    const { written, fast, durable, expired } = this.#counts;
    this.#counts = {
      written: written + (isNew ? 1 : 0),
      fast: fast + (!isNew && this.#seen.has(name) ? 1 : 0),
      durable: durable + (!isNew && !this.#seen.has(name) ? 1 : 0),
      expired: expired + (isReclaimed ? 1 : 0),
    };
    this.#seen.add(name);
    return isNew;
  }

  /** Claims in the order in which they were made. */
  get records(): readonly JsonObject[] {
    return this.#events
      .filter(({ event }) => event.kind === "claim")
      .map((record) => ({
        binding_id: record.binding.trigger_id,
        dedupe_key: record.event.dedupe_key,
        expires_at_ms: Date.parse(record.claim_expires_at ?? ""),
      }));
  }

  get metrics(): JsonObject {
    const { written, fast, durable, expired } = this.#counts;
    return {
      inbox_claims_written: written,
      inbox_duplicates_rejected: fast + durable,
      inbox_fast_path_hits: fast,
      inbox_durable_hits: durable,
      inbox_expired_entries: expired,
      inbox_active_entries: this.#events.filter((record) => !claimIsExpired(record, this.#clock.now)).length,
    };
  }

  /** Only memory is lost: counters and what was seen. */
  restart(): void {
    for (const object of this.#objects.values()) object.restart();
    this.#seen.clear();
    this.#counts = { written: 0, fast: 0, durable: 0, expired: 0 };
  }

  close(): void {
    for (const object of this.#objects.values()) object.close();
  }

  get #events(): readonly EventRecord[] {
    return [...this.#objects.values()]
      .flatMap((object) => object.records)
      .toSorted((left, right) => byCodePoint(left.event.id, right.event.id));
  }
}
