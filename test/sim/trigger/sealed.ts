import type { SealedSecret } from "../../../src/schema/trigger-secret.ts";

/** The secret of every trigger as objects get it. */
export const KEPT_SECRET: SealedSecret = { sealed: "sealed-1", digests: ["digest-1"] };
