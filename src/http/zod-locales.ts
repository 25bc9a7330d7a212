/**
 * Stands in for zod's index of locales, which would add 260 KB of texts nobody reads: the bundler is told so. The English
 * texts are loaded by zod itself.
 */
export const LOCALES = ["en"] as const;
