/** Answers to requests about several things: each succeeds or fails by itself. */
import type { SluiceError } from '../../base/errors.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { refusedBy } from '../errors.ts';

export type Outcome<T> = T & ({ readonly ok: true } | { readonly ok: false; readonly error: SluiceError });

/** The outcome that an error code in an answer stands for. */
export function outcomeOf<T extends object>(about: T, what: string, code: number, said?: string | null): Outcome<T> {
  if (code === ErrorCode.NONE) return { ...about, ok: true };
  return { ...about, ok: false, error: refusedBy(code, what, said) };
}

/** The outcomes in the order of what was asked; brokers answer in an order of their own. */
export function inOrder<T extends { readonly name: string }>(
  asked: readonly (string | { readonly name: string })[],
  outcomes: readonly Outcome<T>[],
): Outcome<T>[] {
  const places = new Map(asked.map((each, place) => [typeof each === 'string' ? each : each.name, place]));
  const placeOf = ({ name }: T): number => places.get(name) ?? asked.length;
  return [...outcomes].sort((left, right) => placeOf(left) - placeOf(right));
}

/** Throws the first failure. */
export function allOrThrow<T>(outcomes: readonly Outcome<T>[]): readonly T[] {
  for (const outcome of outcomes) if (!outcome.ok) throw outcome.error;
  return outcomes;
}

/** A refusal that names the wrong broker concerns the request, not the thing asked for: the request is sent again. */
export function throwIfMisdirected(codes: Iterable<number>): void {
  for (const code of codes) if (code === ErrorCode.NOT_CONTROLLER) throw refusedBy(code, 'the request');
}
