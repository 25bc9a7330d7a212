/** What a prompt refers to: tools it seems to call, in order of appearance, and every word in it. */
export interface PromptReferences {
  readonly calls: readonly string[];
  readonly words: ReadonlySet<string>;
}

const STOPWORDS: ReadonlySet<string> = new Set([
  "if",
  "for",
  "while",
  "switch",
  "return",
  "function",
  "fn",
  "JSON",
  "print",
  "println",
  "contains",
  "len",
  "render",
  "render_prompt",
]);

const FENCE = /^\s*(?:```|~~~)/;
const MARKER = "harn-tool-surface:";
const TOOL_CALL = "<tool_call>";

const directiveOf = (line: string): string | null => {
  const at = line.indexOf(MARKER);
  if (at >= 0) return /^\s*(ignore-[a-z-]+)/.exec(line.slice(at + MARKER.length))?.[1] ?? null;
  return line.includes("tool-surface-ignore") ? "ignore-line" : null;
};

/** The lines that are meant as text to the model, without code blocks and lines marked to be ignored (spec/workflow 3.1). */
const inspectedLines = (prompt: string): readonly string[] => {
  const kept: string[] = [];
  let fenced = false;
  let ignoring = false;
  let skipNext = false;
  for (const line of prompt.split("\n")) {
    const skipped = skipNext;
    skipNext = false;
    if (FENCE.test(line)) {
      fenced = !fenced;
      continue;
    }
    if (fenced) continue;
    const directive = directiveOf(line);
    if (directive === "ignore-start") ignoring = true;
    else if (directive === "ignore-end") ignoring = false;
    else if (directive === "ignore-next-line") skipNext = true;
    else if (directive === null && !ignoring && !skipped) kept.push(line);
  }
  return kept;
};

/** Finds the tools that prompts refer to: names before `(` and right after `<tool_call>` (spec/workflow 3.1). */
export const promptReferences = (prompts: readonly string[]): PromptReferences => {
  const calls = new Set<string>();
  const words = new Set<string>();
  for (const prompt of prompts) {
    const text = inspectedLines(prompt).join("\n");
    let marker: number | null = null;
    // Whole words are taken one by one, because looking ahead from every character is quadratic on long words.
    for (const match of text.matchAll(/<tool_call>|\w+/g)) {
      const [word] = match;
      if (word === TOOL_CALL) {
        marker = match.index + word.length;
        continue;
      }
      const afterMarker: boolean = marker !== null && text.slice(marker, match.index).trim() === "";
      marker = null;
      if (/^\d/.test(word)) continue;
      words.add(word);
      const called = text[match.index + word.length] === "(";
      if ((called || afterMarker) && !STOPWORDS.has(word)) calls.add(word);
    }
  }
  return { calls: [...calls], words };
};
