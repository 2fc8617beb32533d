/** Requests that come without a connection of their own: another broker's envelope, and what this broker asks itself. */
import type { Connection, RequestHandler } from '../network/connection.ts';
import { FRAME_PREFIX_BYTES } from '../network/frame-reader.ts';
import { SessionSlots } from '../network/session-slots.ts';
import { joinParts } from '../protocol/codec.ts';

/** Takes a request frame and resolves with the response, both without size; undefined where it makes no sense. */
export type Answering = (frame: Buffer, connection: Connection) => Promise<Buffer | undefined>;

export function answering(dispatch: RequestHandler): Answering {
  return async (frame, connection) => {
    const reply = await dispatch(frame, connection);
    return typeof reply === 'string' ? undefined : joinParts(reply).subarray(FRAME_PREFIX_BYTES);
  };
}

/** Stands for the connection where a broker asks itself: never closed, trusted. */
export function ownConnection(): Connection {
  return {
    id: -1,
    remoteAddress: 'itself',
    remotePort: 0,
    localPort: 0,
    listenerName: 'itself',
    state: new SessionSlots(),
    authenticated: true,
    recycle: () => undefined,
    close: () => undefined,
    onClose: () => undefined,
    onPeerEnd: () => undefined,
  };
}
