import type { BindingState } from "../../src/engine/trigger/binding.ts";
import type { BindingVersion } from "../../src/engine/trigger/binding-version.ts";
import type { Store } from "../storage/store.ts";
import { migrate } from "../migrations/migration.ts";
import { TRIGGER } from "../migrations/trigger.ts";
import { loadControl, storeControl } from "./control-rows.ts";

type Present = Exclude<BindingState, { readonly status: "absent" }>;

/** A binding as a shard is told it: of its versions only the one that accepts now. */
export interface BindingCopy {
  readonly shard: number;
  readonly tenant: string;
  readonly seq: number;
  readonly state: Omit<Present, "versions">;
}

/** The binding of a trigger as one of its shards knows it: the newest copy, and every version it was ever told of. */
export class BindingReplica {
  readonly #store: Store;
  #copy: BindingCopy | null | undefined = undefined;
  #versions: readonly BindingVersion[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** Which shard this is; null where the object is the trigger itself. */
  get shard(): number | null {
    return this.#load()?.shard ?? null;
  }

  get tenant(): string | null {
    return this.#load()?.tenant ?? null;
  }

  /** How far the binding was when this shard was told of it last; -1 where it never was. */
  get seq(): number {
    return this.#load()?.seq ?? -1;
  }

  /** The binding; null where the object is the trigger itself. */
  get state(): BindingState | null {
    const copy = this.#load();
    return copy === null ? null : { ...copy.state, versions: this.#versions };
  }

  /** Takes over a newer copy. */
  adopt(copy: BindingCopy): void {
    if (this.seq >= copy.seq) return;
    const { current } = copy.state;
    this.#store.transaction(() => {
      migrate(this.#store, TRIGGER);
      storeControl(this.#store, "replica", copy);
      storeControl(this.#store, `version ${current.version}`, current);
      storeControl(this.#store, "versions", [
        ...new Set([...this.#versions.map(({ version }) => version), current.version]),
      ]);
    });
    this.#copy = undefined;
  }

  #load(): BindingCopy | null {
    if (this.#copy !== undefined) return this.#copy;
    this.#copy = loadControl<BindingCopy>(this.#store, "replica");
    const known = this.#copy === null ? [] : (loadControl<readonly number[]>(this.#store, "versions") ?? []);
    const versions = known.flatMap((version) => loadControl<BindingVersion>(this.#store, `version ${version}`) ?? []);
    this.#versions = versions.toSorted((left, right) => left.version - right.version);
    return this.#copy;
  }
}

/** What a shard is told of a binding; null for a trigger that there never was. */
export const bindingCopy = (
  state: BindingState,
  { shard, tenant, seq }: { readonly shard: number; readonly tenant: string; readonly seq: number },
): BindingCopy | null => {
  if (state.status === "absent") return null;
  const { versions: _versions, ...rest } = state;
  return { shard, tenant, seq, state: rest };
};
