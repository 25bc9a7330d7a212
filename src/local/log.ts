import { stripVTControlCharacters } from "node:util";

const LEVELS = ["debug", "info", "warn", "error"] as const;

/** How serious a line of the log is. */
export type LogLevel = (typeof LEVELS)[number];

/** What a line of the log tells beside its message. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Writes the server's log; one call is one line. */
export interface Log {
  readonly write: (level: LogLevel, message: string, fields?: LogFields) => void;
}

/** How a log is written. */
export interface LogOptions {
  /** One JSON object for each line, with the fields beside `at`, `level` and `message`. */
  readonly json: boolean;
  /** Lines that are less serious are left out. */
  readonly level: LogLevel;
  readonly out: (line: string) => void;
  readonly now?: () => Date;
}

const asText = (at: Date, level: LogLevel, message: string, fields: LogFields): string => {
  const told = Object.entries(fields).map(([name, value]) => `  ${name}=${String(value)}`);
  return `${at.toTimeString().slice(0, 8)} ${level.padEnd(5)} ${message}${told.join("")}`;
};

/** A log that writes text or JSON lines; colours and line ends within a message do not survive, so a line stays a line. */
export const createLog = ({ json, level: lowest, out, now = () => new Date() }: LogOptions): Log => ({
  write: (level, message, fields = {}) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(lowest)) return;
    const plain = stripVTControlCharacters(message).trim();
    if (json) out(JSON.stringify({ at: now().toISOString(), level, message: plain, ...fields }));
    else out(asText(now(), level, plain.replaceAll(/\s*\n\s*/g, " | "), fields));
  },
});

/** The levels of the runtime's own messages; what it calls `log` is worth reading. */
export const levelOf = (name: string): LogLevel => LEVELS.find((level) => level === name) ?? "info";
