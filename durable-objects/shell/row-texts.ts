/** Characters per row: in UTF-8 at most three times as many bytes, below the platform's limit of 2 MB a row. */
const PART_LENGTH = 600_000;

/** A text in parts that each fit into a row. */
export const rowTexts = (text: string): readonly string[] => {
  const cut: string[] = [];
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + PART_LENGTH, text.length);
    // A surrogate pair must not be torn: half of one cannot be stored.
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    cut.push(text.slice(start, end));
    start = end;
  }
  return cut;
};
