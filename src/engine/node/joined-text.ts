/**
 * Longest text the engine puts together out of others, in UTF-16 units. Long texts are bodies and only their markers are
 * counted: what is joined here is written into one journal entry, several times.
 */
export const MAX_JOINED_LENGTH = 4 * 1024 * 1024;

/** The texts joined, or null where that would be too long; nothing is joined then. */
export const joinBounded = (texts: readonly string[], separator: string): string | null => {
  const length = texts.reduce((sum, text) => sum + text.length + separator.length, 0);
  return length > MAX_JOINED_LENGTH + separator.length ? null : texts.join(separator);
};
