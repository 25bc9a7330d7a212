const MAX_ID_CHARACTERS = 200;

/** C0, DEL, C1 and the two Unicode line separators. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

const RESERVED: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Says why a text cannot be the id of a node, or null when it can: ids become keys, path steps and parts of stage ids. */
export const nodeIdProblem = (id: string): string | null => {
  // The first test keeps a huge text from being counted character by character.
  if (id === "" || id.length > 2 * MAX_ID_CHARACTERS || [...id].length > MAX_ID_CHARACTERS) {
    return `must have 1 to ${MAX_ID_CHARACTERS} characters`;
  }
  if (CONTROL.test(id)) return "must not contain control characters";
  if (!id.isWellFormed()) return "must not contain lone surrogates";
  if (RESERVED.has(id)) return "is a reserved name";
  return null;
};
