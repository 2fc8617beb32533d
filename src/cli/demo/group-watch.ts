/** Looks at groups as an operator does: through the admin API, again and again. */
import { systemClock, type Timer } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import { Admin } from '../../client/admin/admin.ts';
import { Cluster } from '../../client/cluster.ts';
import { PARTITIONS, TOPIC } from './stream-file.ts';

export interface PartitionSeen {
  /** Name of the member that has it; undefined while nobody has. */
  readonly owner: string | undefined;
  /** Undefined where nothing is committed. */
  readonly lag: number | undefined;
}

export interface GroupSeen {
  readonly group: string;
  readonly state: string;
  readonly partitions: readonly PartitionSeen[];
  readonly lag: number;
}

const LOOK_MS = 400;
const UNSEEN: PartitionSeen = { owner: undefined, lag: undefined };

export class GroupWatch {
  readonly #cluster: Cluster;
  readonly #admin: Admin;
  readonly #groups: readonly string[];
  readonly #onLook: (seen: readonly GroupSeen[]) => void;
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(addresses: string, groups: readonly string[], onLook: (seen: readonly GroupSeen[]) => void) {
    this.#cluster = new Cluster({ bootstrapServers: addresses, clientId: 'operator' });
    this.#admin = new Admin(this.#cluster);
    this.#groups = groups;
    this.#onLook = onLook;
  }

  get admin(): Admin {
    return this.#admin;
  }

  start(): void {
    let isBusy = false;
    this.#timer = systemClock.every(LOOK_MS, () => {
      if (isBusy) return;
      isBusy = true;
      this.#looking = this.look()
        .then(this.#onLook, () => undefined)
        .finally(() => {
          isBusy = false;
        });
    });
  }

  look(): Promise<GroupSeen[]> {
    return Promise.all(this.#groups.map((group) => this.#lookAt(group)));
  }

  async #lookAt(group: string): Promise<GroupSeen> {
    const partitions: PartitionSeen[] = Array.from({ length: PARTITIONS }, () => UNSEEN);
    try {
      const described = await this.#admin.describeGroup(group);
      for (const { topic, partition, lag, member } of await this.#admin.groupLag(described)) {
        if (topic === TOPIC && partition < PARTITIONS) partitions[partition] = { owner: member?.clientId, lag };
      }
      const lag = partitions.reduce((sum, each) => sum + (each.lag ?? 0), 0);
      return { group, state: described.state, partitions, lag };
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'GROUP_ID_NOT_FOUND') {
        return { group, state: 'Dead', partitions, lag: 0 };
      }
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#looking;
    await this.#cluster.close();
  }
}
