/** A broken invariant: a bug in this program, never a consequence of input. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Stops the operation when an invariant does not hold. `why` states the invariant in words. */
export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new AssertionError(why);
}

/** Marks a branch that the types prove impossible; fails when input made it possible all the same. */
export function unreachable(value: never, why: string): never {
  throw new AssertionError(`${why}: ${String(value)}`);
}
