// The bundler puts this in the place of zod's index of locales, which would add 260 KB of texts nobody reads. The English
// texts are loaded by zod itself.
export {};
