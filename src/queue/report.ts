/** Writes one line about something that went wrong in a consumer or the watchdog. */
export const report = (message: string, facts: Readonly<Record<string, unknown>>): void => {
  // oxlint-disable-next-line no-console -- the platform's log is where this is seen
  console.error(JSON.stringify({ level: "error", message, ...facts }));
};

/** The text of a thrown value for the log. */
export const textOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);
