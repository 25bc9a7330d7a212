/** A regular expression from outside, or null when it is none. */
export const regexFrom = (source: string): RegExp | null => {
  try {
    return new RegExp(source, "u");
  } catch {
    return null;
  }
};
