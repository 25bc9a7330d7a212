import * as z from "zod";

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

const SPAN = /^([1-9]\d{0,6})([smhdw])$/;

const isUnit = (unit: string): unit is keyof typeof UNIT_MS => Object.hasOwn(UNIT_MS, unit);

/** A span of time in a query, such as `90s`, `5m`, `24h`, `7d` or `2w`; its value is in milliseconds. */
export const spanSchema = z.string().transform((text, context): number => {
  const [, count = "", unit = ""] = SPAN.exec(text) ?? [];
  if (isUnit(unit)) return Number(count) * UNIT_MS[unit];
  context.addIssue({ code: "custom", message: "is a whole number and one of s, m, h, d, w, such as `24h`" });
  return z.NEVER;
});
