/** Every limit of an accepted connection, with the defaults of Kafka's options where it has one. */
export interface ConnectionLimits {
  /** Largest request frame of an authenticated peer (`socket.request.max.bytes`). */
  readonly maxFrameBytes: number;
  /** Largest request frame before that. */
  readonly maxUnauthenticatedFrameBytes: number;
  /** Requests served at once on one connection; beyond it reading pauses. One at a time before authentication. */
  readonly maxRequestsInFlight: number;
  /** Reply bytes queued for a peer that reads slowly; beyond it reading pauses. */
  readonly maxQueuedReplyBytes: number;
  /** A connection without traffic is closed after this time (`connections.max.idle.ms`). */
  readonly idleMs: number;
  readonly authenticationMs: number;
  /** Longest time for one frame to arrive, besides what its bytes take at 64 KiB/s. */
  readonly partialFrameMs: number;
  /** How long a connection that we ended waits for the peer's end. */
  readonly lingerMs: number;
  /** How long the last replies may take to leave once the peer, or we, will send no more. */
  readonly endingMs: number;
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = {
  maxFrameBytes: 104_857_600,
  maxUnauthenticatedFrameBytes: 65_536,
  maxRequestsInFlight: 64,
  maxQueuedReplyBytes: 1_048_576,
  idleMs: 600_000,
  authenticationMs: 10_000,
  partialFrameMs: 30_000,
  lingerMs: 1_000,
  endingMs: 30_000,
};
