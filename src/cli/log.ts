import { stripVTControlCharacters } from "node:util";

/** What a line of the log tells beside its message. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Writes the log of a command; one call is one line. */
export type Log = (level: "info" | "warn" | "error", message: string, fields?: LogFields) => void;

/** How a log is written. */
export interface LogOptions {
  /** One JSON object for each line, with the fields beside `at`, `level` and `message`. */
  readonly json: boolean;
  readonly out: (line: string) => void;
  /** Takes secrets out of every line. */
  readonly hide: (text: string) => string;
  readonly now?: () => Date;
}

const plain = (value: string | number | boolean): string =>
  typeof value === "string"
    ? stripVTControlCharacters(value)
        .trim()
        .replaceAll(/\s*[\n\r]\s*/g, " | ")
    : String(value);

/** A log of text or JSON lines; colours and line ends do not survive, so a line stays a line. */
export const createLog =
  ({ json, out, hide, now = () => new Date() }: LogOptions): Log =>
  (level, message, fields = {}) => {
    const at = now();
    if (json) return out(hide(JSON.stringify({ at: at.toISOString(), level, message, ...fields })));
    const told = Object.entries(fields).map(([name, value]) => `  ${name}=${plain(value)}`);
    out(hide(`${at.toTimeString().slice(0, 8)} ${level.padEnd(5)} ${plain(message)}${told.join("")}`));
  };
