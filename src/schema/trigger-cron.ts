import * as z from "zod";
import type { CatchupMode, CronBinding } from "../engine/cron/state.ts";
import { compileCron } from "../lib/cron-expression.ts";

const SCHEDULE_MISSING = "cron triggers require a string schedule field";

const MAX_SCHEDULE_LENGTH = 500;

const MAX_RETENTION_DAYS = 36_500;

const DEFAULT_RETENTION_DAYS = 7;

const mode = z.enum(["skip", "all", "latest"]).optional();

/** The keys of a trigger that only a cron trigger has (spec/triggers 5.1 and 18). */
export const cronFields = {
  /** Five fields, six with seconds, seven with years as well, or a nickname. */
  schedule: z.string({ error: SCHEDULE_MISSING }).max(MAX_SCHEDULE_LENGTH).optional(),
  /** An IANA name; `UTC` unless given. */
  timezone: z.string().max(100).optional(),
  /** What happens to ticks that were missed while nothing ran; `skip` unless given. */
  catchup_mode: mode,
  catch_up: mode,
  catchup: mode,
  /** How many days a tick's dedupe key is claimed; 7 unless given. */
  retention_days: z
    .number()
    .int()
    .min(1, "retention_days must be greater than or equal to 1")
    .max(MAX_RETENTION_DAYS)
    .optional(),
} as const;

const cronFieldsSchema = z.object(cronFields).readonly();

/** The cron keys of a definition. */
export type CronFields = z.output<typeof cronFieldsSchema>;

const MODES = ["catchup_mode", "catch_up", "catchup"] as const;

const given = (fields: CronFields): readonly (keyof CronFields)[] =>
  (Object.keys(cronFields) as (keyof CronFields)[]).filter((key) => fields[key] !== undefined);

/** Complains about the cron keys of a cron trigger (spec/triggers 5.7, point 16). */
export const checkCron = (fields: CronFields, complain: (path: string, message: string) => void): void => {
  const modes = MODES.filter((key) => fields[key] !== undefined);
  const [first] = modes;
  for (const key of modes) {
    if (first !== undefined && fields[key] !== fields[first])
      complain(key, `\`${key}\` says otherwise than \`${first}\``);
  }
  const compiled = compileCron(fields.schedule, fields.timezone);
  if (!compiled.ok) complain(compiled.error.path, compiled.error.message);
};

/** Complains about cron keys of a trigger that is none: they would have no effect. */
export const checkNotCron = (fields: CronFields, complain: (path: string, message: string) => void): void => {
  for (const key of given(fields)) complain(key, `\`${key}\` is for provider 'cron'`);
};

const catchupMode = (fields: CronFields): CatchupMode =>
  fields.catchup_mode ?? fields.catch_up ?? fields.catchup ?? "skip";

/** What the scheduler needs of a cron trigger's definition, with the defaults filled in. */
export const cronBinding = (triggerId: string, fields: CronFields): CronBinding => ({
  trigger_id: triggerId,
  schedule: fields.schedule ?? "",
  timezone: fields.timezone ?? "UTC",
  catchup_mode: catchupMode(fields),
});

/** For how many days a tick's dedupe key is claimed: the trigger's own key, else the one of `retry` or `dedupe`. */
export const cronRetentionDays = (definition: {
  readonly retention_days?: number | undefined;
  readonly retry?: { readonly retention_days?: number | undefined } | undefined;
  readonly dedupe?: { readonly retention_days?: number | undefined } | undefined;
}): number =>
  definition.retention_days ??
  definition.retry?.retention_days ??
  definition.dedupe?.retention_days ??
  DEFAULT_RETENTION_DAYS;
