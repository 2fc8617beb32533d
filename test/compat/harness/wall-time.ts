/**
 * Milliseconds since the Unix epoch with a fraction, to be compared between processes. `performance.timeOrigin` will not do:
 * Node reads two clocks one after the other for it, and is milliseconds off for good where it was interrupted in between.
 */
export const wallMs = (): number => OFFSET_MS + performance.now();

const SAMPLES = 20_000;

/** Date.now() has whole milliseconds and is read first: the largest difference is the one that was read at a full one. */
const OFFSET_MS = Array.from({ length: SAMPLES }, () => Date.now() - performance.now()).reduce((most, each) =>
  Math.max(most, each),
);
