/**
 * Keeps the replies of one connection in the order of its requests, however their handlers finish. Owns the replies
 * (and their file regions) from the handler until the writer takes them.
 */
import { isFileRegion, partsLength, type ReplyPart } from '../base/file-region.ts';

/**
 * What a handler answers: parts that already carry the frame's length, `none` where the protocol wants no reply
 * (acks=0), or `close` to end the connection once earlier replies have left.
 */
export type Reply = readonly ReplyPart[] | 'none' | 'close';

/** A request's place. */
export interface ReplySlot {
  /** Bytes of the budget that the request holds. */
  readonly requestBytes: number;
  reply: Reply | undefined;
}

export class ReplyQueue {
  readonly #slots: ReplySlot[] = [];
  #head = 0;
  #unanswered = 0;
  #readyBytes = 0;

  /** Requests whose reply has not been taken. */
  get length(): number {
    return this.#slots.length - this.#head;
  }

  /** Requests whose handler has not finished. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Bytes of replies that wait for an earlier one. */
  get readyBytes(): number {
    return this.#readyBytes;
  }

  open(requestBytes: number): ReplySlot {
    const slot: ReplySlot = { requestBytes, reply: undefined };
    this.#slots.push(slot);
    this.#unanswered++;
    return slot;
  }

  answer(slot: ReplySlot, reply: Reply): void {
    slot.reply = reply;
    this.#unanswered--;
    if (typeof reply !== 'string') this.#readyBytes += partsLength(reply);
  }

  /** The next reply whose turn it is, or undefined; its regions are the caller's to release. */
  takeReady(): Reply | undefined {
    const reply = this.#slots[this.#head]?.reply;
    if (reply === undefined) return undefined;
    if (typeof reply !== 'string') this.#readyBytes -= partsLength(reply);
    this.#head++;
    if (this.#head === this.#slots.length) {
      this.#slots.length = 0;
      this.#head = 0;
    } else if (this.#head >= COMPACT_AT) {
      this.#slots.splice(0, this.#head);
      this.#head = 0;
    }
    return reply;
  }

  /** Releases all replies that never leave and forgets the requests that are still being served. */
  discard(): void {
    for (let index = this.#head; index < this.#slots.length; index++) {
      const { reply } = this.#slots[index]!;
      if (reply !== undefined) releaseReply(reply);
    }
    this.#slots.length = 0;
    this.#head = this.#unanswered = this.#readyBytes = 0;
  }
}

const COMPACT_AT = 64;

/** Gives back the file regions of a reply that nobody will send. */
export function releaseReply(reply: Reply): void {
  if (typeof reply === 'string') return;
  for (const part of reply) if (isFileRegion(part)) part.release();
}
