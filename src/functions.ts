import { createRegistry } from "./executor/registry.ts";

/**
 * The handlers that stages with mode `function` can name. Register yours here and deploy.
 *
 * `echo` answers with its input; examples and checks use it.
 */
export const functions = createRegistry({
  echo: (input) => input,
});
