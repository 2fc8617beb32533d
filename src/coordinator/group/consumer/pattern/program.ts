/**
 * A pattern as a nondeterministic automaton: steps numbered from 0, of which any number may be active at once. Its size
 * is limited, and so is with it the work that one character of a name can cost.
 */
import { type CharacterSet, type Expression, PatternSyntaxError, type Place } from './syntax.ts';

/** `(a{1000}){1000}` is a short pattern and a large automaton. */
export const MAX_STEPS = 10_000;

export type Step =
  | { readonly kind: 'character'; readonly set: CharacterSet; next: number }
  | { readonly kind: 'place'; readonly place: Place; next: number }
  | { readonly kind: 'fork'; readonly next: number[] }
  | { readonly kind: 'match' };

export interface Program {
  readonly steps: readonly Step[];
  readonly start: number;
}

/** Throws PatternSyntaxError where the automaton would be too large. */
export function compile(expression: Expression): Program {
  const steps: Step[] = [{ kind: 'match' }];
  const start = emit(steps, expression, 0);
  return { steps, start };
}

function push(steps: Step[], step: Step): number {
  if (steps.length >= MAX_STEPS) throw new PatternSyntaxError('expression too large');
  steps.push(step);
  return steps.length - 1;
}

/** Adds what matches `expression` and goes on at `next`; returns where that begins. */
function emit(steps: Step[], expression: Expression, next: number): number {
  switch (expression.kind) {
    case 'empty':
      return next;
    case 'set':
      return push(steps, { kind: 'character', set: expression.set, next });
    case 'place':
      return push(steps, { kind: 'place', place: expression.place, next });
    case 'sequence':
      return expression.parts.reduceRight((after, part) => emit(steps, part, after), next);
    case 'choice':
      return push(steps, { kind: 'fork', next: expression.branches.map((branch) => emit(steps, branch, next)) });
    case 'repeat':
      return emitRepeat(steps, expression, next);
  }
}

function emitRepeat(steps: Step[], repeat: Extract<Expression, { kind: 'repeat' }>, next: number): number {
  const { inner, least, most } = repeat;
  // Repeating nothing is nothing, however often.
  if (inner.kind === 'empty') return next;
  let start = next;
  if (most === undefined) {
    const fork: { kind: 'fork'; next: number[] } = { kind: 'fork', next: [next] };
    start = push(steps, fork);
    fork.next.push(emit(steps, inner, start));
  } else {
    for (let optional = least; optional < most; optional++) {
      start = push(steps, { kind: 'fork', next: [next, emit(steps, inner, start)] });
    }
  }
  for (let times = 0; times < least; times++) start = emit(steps, inner, start);
  return start;
}
