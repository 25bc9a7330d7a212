import { cronStateView, CRON_TAKES_NOTHING, tickTime } from "../../../src/engine/cron/event.ts";
import { dueTicks } from "../../../src/engine/cron/schedule.ts";
import { compileCron, type CronExpression } from "../../../src/lib/cron-expression.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { checkCron, cronBinding, type CronFields } from "../../../src/schema/trigger-cron.ts";
import { listArg, OperationFailure, type Operations, textArg } from "../operation.ts";
import type { System } from "../system.ts";

const expressionArg = (args: JsonObject): CronExpression => {
  const { timezone } = args;
  const compiled = compileCron(args["schedule"], typeof timezone === "string" ? timezone : undefined);
  if (!compiled.ok) throw new OperationFailure(compiled.error.message, "activation");
  return compiled.value;
};

const momentArg = (args: JsonObject, name: string): number => Date.parse(textArg(args, name));

const nextTick = (_system: System, args: JsonObject): string | null => {
  const at = expressionArg(args).next(momentArg(args, "after"));
  return at === null ? null : tickTime(at);
};

const due = (_system: System, args: JsonObject): readonly string[] => {
  const after = typeof args["after"] === "string" ? momentArg(args, "after") : null;
  return dueTicks(expressionArg(args), { after, until: momentArg(args, "until") }).map(tickTime);
};

const activate = (system: System, args: JsonObject): JsonObject => {
  const bindings = listArg(args, "bindings").map((entry) => {
    const given = entry as JsonObject;
    const fields = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)) as CronFields;
    checkCron(fields, (_path, message) => {
      throw new OperationFailure(message, "activation");
    });
    return cronBinding(textArg(given, "id"), fields);
  });
  const error = system.crons.activate(bindings);
  if (error !== null) throw new OperationFailure(error, "activation");
  return { active: system.crons.active };
};

/** Schedules (spec/triggers 18). */
export const scheduleOperations: Operations = {
  next_tick: nextTick,
  due_ticks: due,
  cron_activate: activate,
  cron_deactivate: (system) => {
    system.crons.deactivate();
    return { active: system.crons.active };
  },
  cron_events: (system) => system.crons.events,
  cron_state: (system, args) => cronStateView(textArg(args, "id"), system.crons.stateOf(textArg(args, "id"))),
  cron_put_state: (system, args) => system.crons.plant(textArg(args, "id"), momentArg(args, "last_fired_at")),
  cron_fault_after_emit: (system) => {
    system.crons.crashesAfterEmit = true;
  },
  cron_inbound: () => {
    throw new OperationFailure(CRON_TAKES_NOTHING, "unsupported");
  },
};
