/**
 * Brokers for unit tests on a simulated clock: no socket, real encoding, answers that the test gives. Whoever asks gets the
 * answer in a later turn; `pass` lets simulated time go by and everything happen that is due.
 */
import { SluiceError } from '../base/errors.ts';
import { seededRandom } from '../base/random.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import type { Channel, ChannelOptions } from '../network/channel.ts';
import { apiVersions } from '../protocol/apis/api-versions.ts';
import { findCoordinator } from '../protocol/apis/find-coordinator.ts';
import { metadata } from '../protocol/apis/metadata.ts';
import { decodeMessage, encodeToBuffer } from '../protocol/codec.ts';
import type { Api, DecodedFields, EncodableFields, Fields, MessageSchema } from '../protocol/schema.ts';
import type { ClientDependencies } from './dependencies.ts';

/** Instead of an answer: the connection breaks, or nothing is ever said. */
export type Mishap = 'break' | 'silence';
type Ask<Req extends Fields, Res extends Fields> = (
  body: DecodedFields<Req>,
  context: { readonly broker: number; readonly version: number },
) => EncodableFields<Res> | Mishap | Promise<EncodableFields<Res> | Mishap>;

interface Served {
  readonly api: Api;
  readonly ask: Ask<Fields, Fields>;
}

export interface SimulatedTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: { leader: number; leaderEpoch: number; replicas?: readonly number[] }[];
}

export interface Received {
  readonly api: string;
  readonly broker: number;
  readonly atMs: number;
  readonly body: DecodedFields<Fields>;
}

const MOST_TURNS = 10_000;

export class SimulatedBrokers {
  readonly clock = new SimulatedClock();
  readonly received: Received[] = [];
  readonly topics: SimulatedTopic[] = [];
  readonly racks = new Map<number, string>();
  coordinator = 1;
  readonly #ids: readonly number[];
  readonly #served = new Map<number, Served>();

  constructor(ids: readonly number[] = [1]) {
    this.#ids = ids;
    this.serve(apiVersions, () => ({
      errorCode: 0,
      apiKeys: [...this.#served.values()].map(({ api }) => ({
        apiKey: api.key,
        minVersion: api.request.versions.from,
        maxVersion: api.request.versions.to,
      })),
    }));
    this.serve(metadata, ({ topics }) => this.#describe(topics));
    this.serve(findCoordinator, ({ coordinatorKeys }) => {
      const place = { nodeId: this.coordinator, host: 'b', port: this.coordinator };
      const coordinators = coordinatorKeys.map((key) => ({ ...place, key, errorCode: 0, errorMessage: null }));
      return { nodeId: 0, host: '', port: 0, errorMessage: null, coordinators };
    });
  }

  /** Ports are the ids of brokers. */
  get dependencies(): ClientDependencies {
    return {
      clock: this.clock,
      random: seededRandom(1),
      connect: async (options) => this.#channel(options),
    };
  }

  serve<Req extends Fields, Res extends Fields>(api: Api<Req, Res>, ask: Ask<Req, Res>): void {
    this.#served.set(api.key, { api: api as unknown as Api, ask: ask as unknown as Served['ask'] });
  }

  /** What was asked of an API, oldest first. */
  of<Req extends Fields, Res extends Fields>(api: Api<Req, Res>): (Received & { readonly body: DecodedFields<Req> })[] {
    return this.received.filter((each) => each.api === api.name) as (Received & { body: DecodedFields<Req> })[];
  }

  /** Everything that can happen without time going by. */
  async settle(): Promise<void> {
    let turns = 0;
    for (let calm = 0; calm < 3; calm++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.clock.endTurn()) calm = -1;
      if (++turns > MOST_TURNS) throw new Error('something goes on for ever without time going by');
    }
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + ms;
    await this.settle();
    while (this.clock.fireNext(untilMs)) await this.settle();
    this.clock.advance(untilMs - this.clock.monotonicMs());
  }

  #describe(asked: readonly { readonly name: string | null; readonly topicId: string }[] | null) {
    const names = asked ?? this.topics.map(({ name, topicId }) => ({ name, topicId }));
    return {
      brokers: this.#ids.map((nodeId) => ({ nodeId, host: 'b', port: nodeId, rack: this.racks.get(nodeId) ?? null })),
      clusterId: 'simulated',
      controllerId: this.#ids[0]!,
      topics: names.map(({ name, topicId }) => {
        const topic = this.topics.find((each) => (name === null ? each.topicId === topicId : each.name === name));
        if (topic === undefined) return { errorCode: 3, name, topicId, partitions: [] };
        const partitions = topic.partitions.map(({ leader, leaderEpoch, replicas }, partitionIndex) => ({
          errorCode: 0,
          partitionIndex,
          leaderId: leader,
          leaderEpoch,
          replicaNodes: replicas ?? [leader],
          isrNodes: replicas ?? [leader],
          offlineReplicas: [],
        }));
        return { errorCode: 0, name: topic.name, topicId: topic.topicId, partitions };
      }),
    };
  }

  #channel({ host, port, requestTimeoutMs }: ChannelOptions): Channel {
    let open = true;
    const pending = new Set<(error: SluiceError) => void>();
    const shut = (code: string): void => {
      open = false;
      const error = new SluiceError(code, 'simulated', { retriable: true });
      for (const reject of pending) reject(error);
      pending.clear();
    };
    return {
      host,
      port,
      get open() {
        return open;
      },
      get requestsInFlight() {
        return pending.size;
      },
      queuedBytes: 0,
      onClose: () => undefined,
      send: () => undefined,
      close: async () => shut('CHANNEL_CLOSED'),
      request: (api, version, body, options = {}) => {
        if (!open) return Promise.reject(new SluiceError('CHANNEL_CLOSED', 'simulated', { retriable: true }));
        return new Promise((resolve, reject) => {
          pending.add(reject);
          const late = this.clock.after(options.timeoutMs ?? requestTimeoutMs, () => shut('REQUEST_TIMED_OUT'));
          void this.#answer(api as unknown as Api, version, body, port).then((answer) => {
            if (answer === 'silence') return;
            late.cancel();
            if (answer === 'break') return shut('BROKER_DISCONNECTED');
            pending.delete(reject);
            resolve(answer as never);
          }, reject);
        });
      },
    };
  }

  async #answer(
    api: Api,
    version: number,
    body: EncodableFields<Fields>,
    broker: number,
  ): Promise<DecodedFields<Fields> | Mishap> {
    const served = this.#served.get(api.key);
    if (served === undefined) return 'break';
    const seen = again(api.request, version, body);
    this.received.push({ api: api.name, broker, atMs: this.clock.monotonicMs(), body: seen });
    const answer = await served.ask(seen, { broker, version });
    return typeof answer === 'string' ? answer : again(api.response, version, answer);
  }
}

/** As it arrives on the other side. */
function again(schema: MessageSchema, version: number, value: EncodableFields<Fields>): DecodedFields<Fields> {
  return decodeMessage(schema, version, encodeToBuffer(schema, version, value as never)) as DecodedFields<Fields>;
}
