import { join } from "node:path";
import { ensureRootKey } from "./settings.ts";

// `npm run dev` starts with this: wrangler reads the root key from `.dev.vars`, wherever the environment has one or not.
const { value, origin } = ensureRootKey(join(import.meta.dirname, "../.."), {});
if (origin === "made") console.log(`Made a root key, kept in .dev.vars and not shown again:\n\n  ${value}\n`);
