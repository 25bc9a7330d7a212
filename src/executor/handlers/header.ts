/** A value as a header can carry it: ids are ASCII as a rule, but need not be. */
export const headerSafe = (value: string): string =>
  /^[\u0021-\u007e]*$/.test(value) ? value : encodeURIComponent(value);
