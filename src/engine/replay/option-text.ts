/** An optional text as reports print it: `None` or `Some("x")` (spec/workflow 12.4). */
export const optionText = (value: string | null): string =>
  value === null ? "None" : `Some(${JSON.stringify(value)})`;
