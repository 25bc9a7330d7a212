import type { Delivery } from "../../../durable-objects/trigger.ts";
import type { Answer } from "../../../src/engine/machine.ts";
import { isFinal } from "../../../src/engine/trigger/evolve.ts";
import { KEPT_SECRET } from "./sealed.ts";
import { Process } from "../process.ts";
import type { TriggerObject } from "../real-object.ts";
import { Violation } from "../violation.ts";
import type { SeenEvent } from "./checker.ts";
import type { WatchedTrigger } from "./watched-trigger.ts";

const TRIES = 12;

/** Calls a trigger until something comes back; null when nobody could be reached. */
const insist = async <Reply>(
  trigger: WatchedTrigger,
  process: Process,
  name: string,
  call: (object: TriggerObject) => Reply,
): Promise<Reply | null> => {
  const { host, world } = trigger;
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      return await host.call(process, host.epoch, name, call);
    } catch (fault) {
      if (fault instanceof Violation) throw fault;
      await process.sleep(world.random.int(100, 3_000));
    }
  }
  return null;
};

const deliveryOf = (trigger: WatchedTrigger, number: number): Omit<Delivery, "version" | "secrets_tag"> => {
  // The same delivery has the same content, whoever sends it again.
  const pick = (items: readonly string[], salt: number): string => items[(number * 7 + salt) % items.length] as string;
  return {
    tenant: "t1",
    event_id: `trigger_evt_${trigger.id}_${number}`,
    event: {
      provider: "github",
      kind: "issues.opened",
      occurred_at: null,
      dedupe_key: `delivery-${number}`,
      headers: { "x-github-event": "issues" },
      provider_payload: {
        key: pick(["a", "b", "c"], number % 5),
        owner: pick(["x", "y", "z", "x"], 1),
        rank: pick(["high", "low", "none"], number % 3),
      },
      signature_status: { state: "verified" },
    },
  };
};

/** Delivers one event as the address of a hook does; the sender repeats what was not answered. */
const deliver = async (trigger: WatchedTrigger, number: number): Promise<void> => {
  const { world } = trigger;
  const process = new Process(world, "sender", false);
  const delivery = deliveryOf(trigger, number);
  for (let tries = 0; tries < TRIES; tries += 1) {
    const binding = await insist(trigger, process, "binding", (object) => object.binding());
    if (binding === null) return;
    const { version, secrets_tag } = binding;
    const answer = await insist(trigger, process, "accept", (object) =>
      object.accept({ ...delivery, version, secrets_tag }),
    );
    if (answer === "stale") {
      world.counters.stale += 1;
      continue;
    }
    if (answer === null || !answer.ok) {
      world.counters.refused += 1;
      await process.sleep(world.random.int(1_000, 20_000));
      continue;
    }
    const { reply, row, seq } = answer.reply;
    if (reply?.type !== "receipt") throw new Violation("T2 receipt", "a delivery was not answered with a receipt");
    if (!reply.duplicate && row.binding_version !== version)
      throw new Violation("T18 version", `a delivery for version ${version} was taken in under another one`);
    trigger.heard(delivery.event.dedupe_key, reply);
    world.counters.deliveries += 1;
    if (reply.duplicate) world.counters.duplicates += 1;
    return world.listed(trigger.id, row, seq);
  }
};

/** Sends the events of a trigger, some of them several times, some at the same moment. */
export const send = async (trigger: WatchedTrigger): Promise<void> => {
  const { world } = trigger;
  const { faults, random } = world;
  const process = new Process(world, "senders", false);
  const count = random.int(6, 24);
  trigger.expected = count;
  for (let number = 1; number <= count; number += 1) {
    const copies = faults.hits("redelivery") ? random.int(1, 3) : 0;
    const sent = [deliver(trigger, number)];
    for (let copy = 0; copy < copies; copy += 1) {
      const again = random.chance(0.5) ? number : random.int(1, number);
      sent.push(process.sleep(random.int(0, 30_000)).then(() => deliver(trigger, again)));
    }
    Promise.all(sent)
      .catch(world.stray)
      .finally(() => (trigger.expected -= 1));
    if (!faults.hits("burst")) await process.sleep(random.int(100, 20_000));
  }
};

/** Puts a definition; without an answer nobody knows which version it became. */
export const configure = async (trigger: WatchedTrigger, index: number): Promise<void> => {
  const { world, id, definitions } = trigger;
  const process = new Process(world, "operator", false);
  const definition = definitions[index % definitions.length] as (typeof definitions)[number];
  const answer = await insist(trigger, process, "configure", (object) => {
    const put = object.configure(id, definition, {
      source: "dynamic",
      secret: KEPT_SECRET,
      tenant: "t1",
      code_version: null,
    });
    // What the object has committed counts, whoever hears of it.
    if (put.ok) trigger.versions.set(put.reply.version, definition);
    return put;
  });
  if (answer?.ok === true) world.counters.configured += 1;
};

const control = async (trigger: WatchedTrigger, type: "pause" | "resume" | "delete"): Promise<void> => {
  const process = new Process(trigger.world, "operator", false);
  await insist(trigger, process, type, (object) => object.control(type));
};

const pauseAndResume = async (trigger: WatchedTrigger): Promise<void> => {
  await control(trigger, "pause");
  await new Process(trigger.world, "operator", false).sleep(trigger.world.random.int(1_000, 20_000));
  await control(trigger, "resume");
};

const deleteAndPut = async (trigger: WatchedTrigger): Promise<void> => {
  await control(trigger, "delete");
  await new Process(trigger.world, "operator", false).sleep(trigger.world.random.int(1_000, 30_000));
  await configure(trigger, trigger.world.random.int(0, 2));
};

/** Does something with one of the events, if there is one. */
const withEvent = async <Reply>(
  trigger: WatchedTrigger,
  isWanted: (seen: SeenEvent) => boolean,
  act: (object: TriggerObject, seen: SeenEvent) => Answer<Reply>,
): Promise<{ readonly seen: SeenEvent; readonly answer: Answer<Reply> | null } | null> => {
  const { world, checker } = trigger;
  const wanted = [...checker.events.values()].filter(isWanted);
  if (wanted.length === 0) return null;
  const seen = world.random.pick(wanted);
  const process = new Process(world, "operator", false);
  return { seen, answer: await insist(trigger, process, "an operator", (object) => act(object, seen)) };
};

const cancelOne = async (trigger: WatchedTrigger): Promise<void> => {
  const { world } = trigger;
  const done = await withEvent(
    trigger,
    ({ record }) => !isFinal(record),
    (object, { key }) => object.cancel(key, { requested_by: "operator", audit_id: null }),
  );
  if (done?.answer?.ok !== true) return;
  world.counters.cancelled += 1;
  const { cancel_run } = done.answer.reply;
  if (cancel_run !== null) world.ledger.cancel(cancel_run);
};

const isLetter = ({ record }: SeenEvent): boolean => record.dead_letter?.state === "pending" && record.replay === null;

const replayOne = async (trigger: WatchedTrigger, isOfLetter: boolean): Promise<void> => {
  const { world } = trigger;
  const version = world.random.pick([...trigger.versions.keys()]);
  const done = await withEvent(
    trigger,
    (seen) => (isOfLetter ? isLetter(seen) : isFinal(seen.record) && seen.record.replay === null),
    (object, { key, record }) =>
      object.replay(
        { key, event_id: record.event.id },
        {
          version,
          dlq_id: isOfLetter ? (record.dead_letter?.id ?? null) : null,
          requested_by: "operator",
          not_before: world.random.chance(0.2) ? world.clock() + 30_000 : null,
        },
      ),
  );
  if (done?.answer?.ok === true) world.counters[isOfLetter ? "retried_letters" : "replayed"] += 1;
};

const discardOne = async (trigger: WatchedTrigger): Promise<void> => {
  const done = await withEvent(trigger, isLetter, (object, { key, record }) =>
    object.discard(key, record.dead_letter?.id ?? ""),
  );
  if (done?.answer?.ok === true) trigger.world.counters.discarded_letters += 1;
};

/** What operators do now and then. */
export const operate = (trigger: WatchedTrigger): void => {
  const { faults, random, stray } = trigger.world;
  if (faults.hits("new_version")) configure(trigger, random.int(1, 2)).catch(stray);
  if (faults.hits("roll_back")) configure(trigger, 0).catch(stray);
  if (faults.hits("pause_trigger")) pauseAndResume(trigger).catch(stray);
  if (faults.hits("delete_trigger")) deleteAndPut(trigger).catch(stray);
  if (faults.hits("cancel_event")) cancelOne(trigger).catch(stray);
  if (trigger.versions.size > 0 && faults.hits("replay_event")) replayOne(trigger, false).catch(stray);
  if (trigger.versions.size > 0 && faults.hits("retry_letter")) replayOne(trigger, true).catch(stray);
  if (faults.hits("discard_letter")) discardOne(trigger).catch(stray);
};

/** A person who answers what autonomy budgets ask, sooner or later. */
export const answerRequests = async (trigger: WatchedTrigger): Promise<void> => {
  const { world } = trigger;
  const process = new Process(world, "reviewer", false);
  while (!world.hasEnded) {
    await process.sleep(world.faults.active ? world.random.int(2_000, 60_000) : 600_000);
    const done = await withEvent(
      trigger,
      ({ record }) => record.status === "waiting",
      (object, { key }) => object.respond(key, { approved: world.random.chance(0.6), reviewer: "ada", reason: null }),
    );
    if (done?.answer?.ok === true) world.counters.answers_of_people += 1;
  }
};
