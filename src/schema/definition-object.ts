import * as z from "zod";

/** Keys of spec/triggers 5.1 and 5.3 that this version does not act on. They are refused: a limit that is ignored is no limit. */
const NOT_AVAILABLE: ReadonlySet<string> = new Set(
  "window dlq_alerts secrets poll topic subject slot persona await_completion".split(" "),
);

const keyMessage = (key: string): string =>
  NOT_AVAILABLE.has(key) ? `\`${key}\` is not available yet; leave it out` : `unknown key \`${key}\``;

/** A part of a trigger's definition: an object without keys other than its own; the error names each of the others. */
export const definitionObject = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? issue.keys.map(keyMessage).join("; ") : undefined),
  });
