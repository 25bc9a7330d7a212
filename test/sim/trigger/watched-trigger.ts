import type { HandlerCall } from "../../../src/engine/trigger/handler.ts";
import { handlerFor } from "../../../src/engine/trigger/definition-handler.ts";
import { storedDefinition } from "../../../src/engine/trigger/binding.ts";
import type { TriggerDefinition } from "../../../src/schema/trigger-definition.ts";
import { type Caller, ObjectHost } from "../host.ts";
import type { TriggerClass, TriggerObject } from "../real-object.ts";
import { Violation } from "../violation.ts";
import { TriggerChecker } from "./checker.ts";
import { randomDefinition, type Rules } from "./definitions.ts";
import type { TriggerWorld } from "./world.ts";

/** Who sends to a trigger heard this of a key. */
export interface Heard {
  readonly event_id: string;
  readonly receipt: string;
}

/** One trigger of a world, with everything that is known about it from outside. */
export class WatchedTrigger {
  readonly id: string;
  readonly rules: Rules;
  readonly host: ObjectHost<TriggerObject>;
  readonly checker: TriggerChecker;
  readonly world: TriggerWorld;
  /** What was put, by the version that the answer named. */
  readonly versions = new Map<number, TriggerDefinition>();
  readonly definitions: readonly TriggerDefinition[];
  /** Receipts that senders got, by dedupe key. */
  readonly receipts = new Map<string, Heard>();
  /** Dead letters that somebody took off the list, as far as the answer came. */
  readonly discarded = new Set<string>();
  /** How many events are still to be sent. */
  expected = 0;

  constructor(
    world: TriggerWorld,
    given: {
      readonly id: string;
      readonly rules: Rules;
      readonly variant: TriggerClass;
      readonly env: (caller: Caller, isAlive: () => boolean) => Env;
    },
  ) {
    const { id, rules, variant, env } = given;
    this.id = id;
    this.rules = rules;
    this.world = world;
    this.host = new ObjectHost(world, { name: id, variant, watch: () => this.checker, env });
    this.checker = new TriggerChecker(this);
    this.definitions = Array.from({ length: 3 }, () => randomDefinition(world.random, rules));
  }

  /** Every handler is called as the version says that took the event in (T18). */
  expects(call: HandlerCall): void {
    const definition = this.versions.get(call.binding_version);
    if (definition === undefined) return;
    const { kind, target_uri } = handlerFor(storedDefinition(definition));
    if (call.kind !== kind || call.target_uri !== target_uri)
      throw new Violation("T18 version", `version ${call.binding_version} called ${call.target_uri}`);
  }

  /** Notes a receipt: whoever delivers the same gets the same (T2). */
  heard(key: string, heard: Heard): void {
    const known = this.receipts.get(key);
    if (known === undefined) this.receipts.set(key, heard);
    else if (known.event_id !== heard.event_id || known.receipt !== heard.receipt)
      throw new Violation("T2 receipt", `the delivery ${key} got two receipts`);
  }
}
