/** How often V8 collects the whole heap of a broker's own process. Never for a broker inside of somebody else's. */
import { setFlagsFromString } from 'node:v8';

/** The heap may grow to four times of what is alive, V8's own upper bound, before all of it is collected again. */
const GROWTH_PERCENT = 300;

/**
 * What arrives lies outside of the heap and dies young. V8 holds it against a limit that is close where little is alive, and so
 * collected everything for each ten megabytes received: a third of a busy broker's CPU time. Collections of young
 * objects free it just as well.
 */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
