/** Reads and writes what consumers of the classic protocol send each other: bytes that the coordinator otherwise only carries. */
import { decodeMessage, encodeToBuffer, MalformedMessage } from './codec.ts';
import {
  type ConsumerProtocolAssignment,
  type ConsumerProtocolSubscription,
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from './state/consumer-protocol.ts';

const VERSION_BYTES = 2;

/** The topics of a subscription; undefined where the bytes are none. */
export function subscribedTopicsIn(metadata: Buffer | undefined): readonly string[] | undefined {
  return metadata === undefined ? undefined : readSubscription(metadata)?.topics;
}

/** Undefined where the bytes are no subscription. A version of the future is read as the newest known. */
export function readSubscription(bytes: Buffer): ConsumerProtocolSubscription | undefined {
  return tolerant(bytes, (version) =>
    decodeMessage(
      consumerProtocolSubscription,
      Math.min(version, consumerProtocolSubscription.versions.to),
      bytes,
      VERSION_BYTES,
    ),
  );
}

/** As `readSubscription`, of an assignment. */
export function readAssignment(bytes: Buffer): ConsumerProtocolAssignment | undefined {
  return tolerant(bytes, (version) =>
    decodeMessage(
      consumerProtocolAssignment,
      Math.min(version, consumerProtocolAssignment.versions.to),
      bytes,
      VERSION_BYTES,
    ),
  );
}

function tolerant<T>(bytes: Buffer, read: (version: number) => T): T | undefined {
  if (bytes.length < VERSION_BYTES) return undefined;
  const version = bytes.readInt16BE(0);
  if (version < 0) return undefined;
  try {
    return read(version);
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined;
    throw error;
  }
}

/** The version of a member's metadata: what it is told comes in the same. Undefined where the bytes are none. */
export function consumerProtocolVersion(bytes: Buffer): number | undefined {
  if (bytes.length < VERSION_BYTES) return undefined;
  const version = bytes.readInt16BE(0);
  return version < 0 ? undefined : version;
}

export function writeAssignment(
  version: number,
  assignedPartitions: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): Buffer {
  const known = Math.min(version, consumerProtocolAssignment.versions.to);
  const head = Buffer.alloc(VERSION_BYTES);
  head.writeInt16BE(known);
  return Buffer.concat([head, encodeToBuffer(consumerProtocolAssignment, known, { assignedPartitions })]);
}

export interface NewSubscription {
  readonly topics: readonly string[];
  readonly userData: Buffer | null;
  readonly ownedPartitions: readonly { readonly topic: string; readonly partitions: readonly number[] }[];
  /** Generation in which the partitions were held; -1 where there was none. */
  readonly generationId: number;
  readonly rackId: string | null;
}

/** In the newest version, as Kafka's own clients write it whatever the others of the group understand. */
export function writeSubscription(subscription: NewSubscription): Buffer {
  const version = consumerProtocolSubscription.versions.to;
  const head = Buffer.alloc(VERSION_BYTES);
  head.writeInt16BE(version);
  return Buffer.concat([head, encodeToBuffer(consumerProtocolSubscription, version, subscription)]);
}
