/** Which records are shown: those whose key or value matches. Bytes that are no UTF-8 are matched as Latin-1. */
import { isUtf8 } from 'node:buffer';
import type { ConsumedRecord } from '../client/consumer/fetched-batch.ts';
import { pattern } from './arguments.ts';

export interface FilterOptions {
  readonly grep?: string;
  readonly grepKey?: string;
  readonly grepValue?: string;
  readonly invertMatch: boolean;
}

export type RecordFilter = (record: ConsumedRecord) => boolean;

/** All that are given must match; `--grep` is content with key or value. Undefined where none is given. */
export function recordFilter(options: FilterOptions): RecordFilter | undefined {
  const tests: RecordFilter[] = [];
  if (options.grep !== undefined) {
    const regex = pattern('--grep', options.grep);
    tests.push(({ key, value }) => matches(regex, key) || matches(regex, value));
  }
  if (options.grepKey !== undefined) {
    const regex = pattern('--grep-key', options.grepKey);
    tests.push(({ key }) => matches(regex, key));
  }
  if (options.grepValue !== undefined) {
    const regex = pattern('--grep-value', options.grepValue);
    tests.push(({ value }) => matches(regex, value));
  }
  if (tests.length === 0) return undefined;
  return (record) => tests.every((test) => test(record)) !== options.invertMatch;
}

function matches(regex: RegExp, bytes: Buffer | null): boolean {
  return bytes !== null && regex.test(bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1'));
}
