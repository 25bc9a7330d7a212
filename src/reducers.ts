import { createReducers } from "./executor/registry.ts";

/**
 * The reducers that reduce nodes can name in `function`. Register yours here and deploy.
 *
 * `numbered` makes a numbered list of its inputs; an example uses it.
 */
export const reducers = createReducers({
  numbered: (inputs) =>
    inputs.map(({ text, data }, position) => `${position + 1}. ${text ?? JSON.stringify(data)}`).join("\n"),
});
