/** Bytes that do not form the message they should: the sender's fault, answered by refusing and closing. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

/** A value that the asked version cannot carry: a fault of this program or of its caller, never of a peer's bytes. */
export class UnencodableMessage extends Error {
  override readonly name = 'UnencodableMessage';
}
