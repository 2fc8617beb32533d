import type { Pair } from './pair.ts';

/** Scenarios by title. They share a pair of brokers and run in order; each uses topics of its own. */
export type Scenarios = Readonly<Record<string, (pair: Pair) => Promise<void>>>;
