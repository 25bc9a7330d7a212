/** A value or an expected error, returned instead of thrown. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

/** Wraps a success. */
export const ok = <T>(value: T): Result<T, never> => ({ ok: true, value });

/** Wraps an expected error. */
export const err = <E>(error: E): Result<never, E> => ({ ok: false, error });
