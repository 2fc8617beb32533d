/**
 * Patterns over names of topics. Time is linear in a name's length whatever the pattern: the automaton's active steps
 * are followed together, and sets of them that occur are kept as states with their transitions, so that most characters
 * cost one look-up. There is no backtracking that a pattern could blow up.
 */
import { parsePattern } from './parse.ts';
import { compile, type Program } from './program.ts';
import { ALPHABET, isWord, type Place } from './syntax.ts';

export { PatternSyntaxError } from './syntax.ts';

/** States kept; beyond that all are forgotten and found anew. */
const MAX_STATES = 2000;

type Side = 'none' | 'word' | 'other';

interface State {
  /** Active before places are looked at, rising. */
  readonly active: readonly number[];
  /** What stands in front. */
  readonly before: Side;
  readonly next: (State | undefined)[];
  accepts: boolean | undefined;
}

export class Pattern {
  readonly #program: Program;
  readonly #states = new Map<string, State>();
  #work = 0;

  /** Throws PatternSyntaxError. */
  constructor(text: string) {
    this.#program = compile(parsePattern(text));
  }

  /** Steps of the automaton looked at so far: what matching has cost. */
  get work(): number {
    return this.#work;
  }

  /** Whether all of `name` matches. */
  matches(name: string): boolean {
    let state = this.#state([this.#program.start], 'none');
    for (let index = 0; index < name.length; index++) {
      const code = name.charCodeAt(index);
      if (code >= ALPHABET) return false;
      let next = state.next[code];
      if (next === undefined) {
        next = this.#step(state, code);
        state.next[code] = next;
      }
      if (next.active.length === 0) return false;
      state = next;
    }
    this.#work += name.length;
    state.accepts ??= this.#reach(state, 'none').has(0);
    return state.accepts;
  }

  #state(active: readonly number[], before: Side): State {
    const key = `${before} ${active.join()}`;
    let state = this.#states.get(key);
    if (state === undefined) {
      if (this.#states.size >= MAX_STATES) this.#states.clear();
      state = { active, before, next: new Array<State | undefined>(ALPHABET), accepts: undefined };
      this.#states.set(key, state);
    }
    return state;
  }

  #step(state: State, code: number): State {
    const after: Side = isWord(code) ? 'word' : 'other';
    const active = new Set<number>();
    for (const at of this.#reach(state, after)) {
      const step = this.#program.steps[at]!;
      if (step.kind === 'character' && step.set[code] === 1) active.add(step.next);
    }
    return this.#state(
      [...active].sort((left, right) => left - right),
      after,
    );
  }

  /** All steps that are active without a further character. */
  #reach(state: State, after: Side): Set<number> {
    const { steps } = this.#program;
    const reached = new Set<number>();
    const pending = [...state.active];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (reached.has(at)) continue;
      reached.add(at);
      const step = steps[at]!;
      if (step.kind === 'fork') pending.push(...step.next);
      else if (step.kind === 'place' && holds(step.place, state.before, after)) pending.push(step.next);
    }
    this.#work += reached.size;
    return reached;
  }
}

function holds(place: Place, before: Side, after: Side): boolean {
  switch (place) {
    case 'begin':
      return before === 'none';
    case 'end':
      return after === 'none';
    case 'word boundary':
      return (before === 'word') !== (after === 'word');
    case 'no word boundary':
      return (before === 'word') === (after === 'word');
  }
}
