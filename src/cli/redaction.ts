/** A part of a secret that is shorter than this is not taken for one. */
const SHORTEST_PART = 8;

const MARK = "[hidden]";

/** Takes one secret out of texts. */
export interface Redaction {
  /** A whole text without the secret. */
  readonly hide: (text: string) => string;
  /** The beginning of a text that was cut: also without what it has of the secret at its end. */
  readonly hideInHead: (text: string) => string;
  /** The end of a text that was cut: also without what it has of the secret at its beginning. */
  readonly hideInTail: (text: string) => string;
}

const partLengths = (secret: string): readonly number[] =>
  Array.from({ length: Math.max(0, secret.length - SHORTEST_PART) }, (_, index) => secret.length - 1 - index);

/** Takes a secret out of texts, also where it was cut in two. */
export const redactionOf = (secret: string): Redaction => {
  const hide = (text: string): string => (secret === "" ? text : text.replaceAll(secret, MARK));
  const lengths = partLengths(secret);
  return {
    hide,
    hideInHead: (text) => {
      const whole = hide(text);
      const length = lengths.find((some) => whole.endsWith(secret.slice(0, some)));
      return length === undefined ? whole : whole.slice(0, -length) + MARK;
    },
    hideInTail: (text) => {
      const whole = hide(text);
      const length = lengths.find((some) => whole.startsWith(secret.slice(-some)));
      return length === undefined ? whole : MARK + whole.slice(length);
    },
  };
};
