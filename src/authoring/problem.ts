declare const problem: unique symbol;
declare const choices: unique symbol;

/**
 * What the compiler shows where a definition is wrong: no value is of this type, its name and its text are the message.
 * `Choices` are what would be right there.
 */
export interface Problem<Text extends string, Choices = never> {
  readonly [problem]: Text;
  readonly [choices]: Choices;
}
