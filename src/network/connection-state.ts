/**
 * The life of an accepted connection as a table, complete by type.
 *
 *     serving ──(no more requests)──> draining ──(all replies written)──> lingering ──> closed
 *        └──────────────(reset, timeout, bad frame, failed handler)──────────────────────^
 *
 * serving: reads requests. draining: reads none, finishes those in flight. lingering: everything was written and the
 * peer was told so; what it still sends is thrown away, because closing on unread bytes would reset the connection
 * and could cost the peer our last reply.
 */

export type ConnectionState = 'serving' | 'draining' | 'lingering' | 'closed';

export type ConnectionEvent =
  /** The peer said that it sends no more. */
  | 'peer-ended'
  /** The listener stops, the broker asked, a handler answered `close`, or a bad frame came after good ones. */
  | 'stop'
  /** Every reply was handed to the socket and no handler is at work. */
  | 'flushed'
  /** Something that leaves nothing to say to the peer: reset, timeout, bad frame, failed handler. */
  | 'fail'
  /** The socket is gone. */
  | 'gone';

export interface Transition {
  readonly to: ConnectionState;
  /** `end` says goodbye after the last byte, `destroy` drops the socket, `clean` gives everything back. */
  readonly actions: readonly ('end' | 'destroy' | 'clean')[];
}

const stay = (to: ConnectionState): Transition => ({ to, actions: [] });
const destroyed: Transition = { to: 'closed', actions: ['destroy', 'clean'] };
const cleaned: Transition = { to: 'closed', actions: ['clean'] };

export const TRANSITIONS: Readonly<Record<ConnectionState, Readonly<Record<ConnectionEvent, Transition>>>> = {
  serving: {
    'peer-ended': stay('draining'),
    stop: stay('draining'),
    flushed: stay('serving'),
    fail: destroyed,
    gone: cleaned,
  },
  draining: {
    'peer-ended': stay('draining'),
    stop: stay('draining'),
    flushed: { to: 'lingering', actions: ['end'] },
    fail: destroyed,
    gone: cleaned,
  },
  lingering: {
    // Both directions ended: the socket closes by itself once its last byte left.
    'peer-ended': stay('lingering'),
    stop: stay('lingering'),
    flushed: stay('lingering'),
    fail: destroyed,
    gone: cleaned,
  },
  closed: {
    'peer-ended': stay('closed'),
    stop: stay('closed'),
    flushed: stay('closed'),
    fail: stay('closed'),
    gone: stay('closed'),
  },
};
