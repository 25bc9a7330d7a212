/** Where an error of a part is in a spawn config: how the error begins, and the key of the part. */
const PARTS: readonly (readonly [begins: RegExp, key: string])[] = [
  [/^spawn_agent: policy parse error: ([^\s:]+): /, "policy"],
  [/^spawn_agent: tools shorthand /, "tools"],
  [/^spawn_agent: carry\.(\w+)/, "carry"],
  [/^spawn_agent: artifacts\b/, "artifacts"],
  [/^spawn_agent node parse error at ([^\s:]+): /, "node"],
  [/^orchestration parse error at ([^\s:]+): /, "graph"],
  [/^context policy parse error: ([^\s:]+): /, "carry.context_policy"],
  [/^worker execution parse error: ([^\s:]+): /, "execution"],
  [/^worker audit parse error: ([^\s:]+): /, "audit"],
  [/^sub_agent_run: (allowed_tools|tools)\b/, "sub_agent"],
  [/^sub_agent_run(?:\.(\w+))?: (?!task )/, "sub_agent"],
  [/^sub_agent_run: task /, "task"],
  [/^HARN-SUS-002: invalid ResumeConditions\.(?!root)([^\s:]+): /, "options.resume_when"],
  [/^HARN-SUS-002: /, "options.resume_when"],
];

/** The field of a spawn config that an error in the words of the specification is about; `.` where it names none (spec/workers 2). */
export const spawnPath = (text: string): string => {
  const named = /^spawn_agent: config\.(\S+?)(?=:? )/.exec(text)?.[1];
  if (named !== undefined) return named;
  for (const [begins, key] of PARTS) {
    const found = begins.exec(text);
    if (found !== null) return found[1] === undefined || found[1] === "." ? key : `${key}.${found[1]}`;
  }
  return ".";
};
