/**
 * The way to a group's coordinator: finds it, keeps who it is until that proves wrong, and has one connection a purpose,
 * so that a heartbeat never waits behind a join. One attempt a request; trying again is the caller's.
 */
import type { BrokerId } from '../../../base/units.ts';
import { findCoordinator } from '../../../protocol/apis/find-coordinator.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { Api, DecodedFields, EncodableFields, Fields } from '../../../protocol/schema.ts';
import type { BrokerConnection, RequestOptions } from '../../broker-connection.ts';
import type { Cluster } from '../../cluster.ts';
import { refusedBy } from '../../errors.ts';

const KEY_TYPE_GROUP = 0;
const MANY_KEYS_SINCE = 4;

export type Purpose = 'join' | 'heartbeat' | 'offsets';
const PURPOSES: readonly Purpose[] = ['join', 'heartbeat', 'offsets'];

export class CoordinatorLink {
  readonly groupId: string;
  readonly #cluster: Cluster;
  readonly #lane: string;
  #coordinator: Promise<BrokerId> | undefined;

  constructor(cluster: Cluster, groupId: string, lane: string) {
    this.groupId = groupId;
    this.#cluster = cluster;
    this.#lane = lane;
  }

  /** Sends a request to the coordinator. A failure on the way makes the next one look for the coordinator again. */
  async request<Req extends Fields, Res extends Fields>(
    purpose: Purpose,
    api: Api<Req, Res>,
    body: EncodableFields<Req> | ((connection: BrokerConnection) => EncodableFields<Req>),
    options: RequestOptions = {},
  ): Promise<DecodedFields<Res>> {
    try {
      const connection = await this.#connection(purpose);
      return await connection.request(api, typeof body === 'function' ? body(connection) : body, options);
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /** The coordinator is another one by now, or may be. */
  forget(): void {
    this.#coordinator = undefined;
  }

  /** After refusals that say so. */
  forgetAfter(code: number): void {
    if (code === ErrorCode.NOT_COORDINATOR || code === ErrorCode.COORDINATOR_NOT_AVAILABLE) this.forget();
  }

  async close(): Promise<void> {
    await Promise.all(PURPOSES.map((purpose) => this.#cluster.closeLane(`${this.#lane}-${purpose}`)));
  }

  async #connection(purpose: Purpose): Promise<BrokerConnection> {
    const looking = this.#coordinator ?? this.#find();
    this.#coordinator = looking;
    return this.#cluster.connection(await looking, `${this.#lane}-${purpose}`);
  }

  async #find(): Promise<BrokerId> {
    const { groupId } = this;
    const connection = await this.#cluster.connection('any');
    const many = connection.versions.choose(findCoordinator) >= MANY_KEYS_SINCE;
    const body = many ? { key: '', coordinatorKeys: [groupId] } : { key: groupId, coordinatorKeys: [] };
    const answer = await connection.request(findCoordinator, { ...body, keyType: KEY_TYPE_GROUP });
    const found = many ? answer.coordinators[0] : answer;
    const code = found?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
    if (found === undefined || code !== ErrorCode.NONE) throw refusedBy(code, `group ${groupId}`, found?.errorMessage);
    return found.nodeId;
  }
}
