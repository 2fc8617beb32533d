/** Bytes that are no record batch, no records or no compressed block. Raised by readers, never by validation. */
export class CorruptRecords extends Error {
  override readonly name = 'CorruptRecords';
}
