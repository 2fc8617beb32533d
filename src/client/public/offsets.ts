import { SluiceError } from '../../base/errors.ts';
import type { Offset } from '../../base/units.ts';

/** An offset as the inner parts count. Throws a SluiceError INVALID_OFFSET for what no log can reach. */
export function toOffset(offset: bigint | number): Offset {
  const number = Number(offset);
  if (Number.isSafeInteger(number)) return number;
  throw new SluiceError('INVALID_OFFSET', `${offset} is no offset`, { remedy: 'Give a whole number below 2^53.' });
}
