import { join } from "node:path";
import { ensureMasterKey, ensureRootKey } from "./settings.ts";

// `npm run dev` starts with this: wrangler reads both keys from `.dev.vars`, wherever the environment has them or not.
const root = join(import.meta.dirname, "../..");
const { value, origin } = ensureRootKey(root, {});
ensureMasterKey(root, {});
if (origin === "made") console.log(`Made a root key, kept in .dev.vars and not shown again:\n\n  ${value}\n`);
