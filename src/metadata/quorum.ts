/**
 * Where leadership over the metadata and its durability come from. One node, ZooKeeper and Raft are behind this one
 * interface; brokers and the controller know nothing else.
 */
import type { BrokerId, LeaderEpoch, Offset } from '../base/units.ts';
import type { MetadataDelta } from './delta.ts';
import type { MetadataImage } from './image.ts';
import type { MetadataRecord } from './records.ts';
import type { RecordStream } from './stream/record-stream.ts';

export type MetadataListener = (delta: MetadataDelta, image: MetadataImage) => void;

export type RoleListener = (active: boolean) => void;

/** Topics that are stored in a way that nobody understands: they are not in the image, and their names are taken. */
export interface LostTopics {
  /** Why, by name. */
  readonly reasons: ReadonlyMap<string, string>;
  /** Takes away all that is stored of one. Rejects with a SluiceError. */
  remove(name: string): Promise<void>;
}

export interface MetadataQuorum {
  /** Reads what there is. The image is complete once this resolves, and listeners have not been called for it. */
  start(): Promise<void>;
  /** The latest committed state. */
  image(): MetadataImage;
  /** Whether `append` may be called: this node is the active controller. */
  isActiveController(): boolean;
  /** The active controller, -1 where none is known. */
  controllerId(): BrokerId;
  /** Rises with every active controller; that of the latest one known. */
  controllerEpoch(): LeaderEpoch;
  /** Where the active controller is reached; undefined where that is this node, or none is known. */
  controllerAddress(): { readonly host: string; readonly port: number } | undefined;
  /** What the other brokers follow; open while this node is the active controller. */
  readonly stream: RecordStream;
  /**
   * Calls the listener when this node becomes the active controller, once its image is complete, and when it is no longer.
   * Not called for the role that it has already. Returns a function that ends the subscription.
   */
  onRole(listener: RoleListener): () => void;
  /**
   * Writes records, whole or not at all. Resolves with the offset of the last once they are committed, durable and
   * applied, listeners included. Calls commit in call order and may overlap; when one fails, all later ones that are
   * not yet committed fail with it, so that no record is committed that was made in sight of one that was not.
   * Rejects with a SluiceError: NOT_CONTROLLER (retriable: ask the active controller) or METADATA_WRITE_FAILED.
   */
  append(records: readonly MetadataRecord[]): Promise<Offset>;
  /**
   * Calls the listener after each commit, in order, with what changed and the state then. A listener that throws is a
   * bug and stops the quorum. Returns a function that ends the subscription.
   */
  subscribe(listener: MetadataListener): () => void;
  /** Why the cluster cannot be changed now, once that has lasted for seconds; undefined where it can be, as far as is known. */
  readonly obstacle?: string | undefined;
  /** Of the active controller; undefined elsewhere, and where no topic can get lost. */
  readonly lostTopics?: LostTopics | undefined;
  close(): Promise<void>;
}
