/** A broker for tests: a real socket, real frames, and answers that the test gives. */
import { createServer, type Server, type Socket } from 'node:net';
import { partsLength, type ReplyPart } from '../base/file-region.ts';
import { apiVersions } from '../protocol/apis/api-versions.ts';
import { metadata } from '../protocol/apis/metadata.ts';
import { decodeRequestBody, decodeRequestHeader, encodeResponseFrame } from '../protocol/frames.ts';
import type { Api, DecodedFields, EncodableFields, Fields } from '../protocol/schema.ts';
import { includesVersion } from '../protocol/versions.ts';

/** Closes the connection instead of answering; 'silence' leaves the client waiting. */
export type Refusal = 'close' | 'silence';
type Answer = EncodableFields<Fields> | Refusal;

interface Served {
  readonly api: Api;
  readonly answer: (body: DecodedFields<Fields>, version: number) => Answer | Promise<Answer>;
}

export interface ScriptedTopic {
  readonly name: string;
  readonly topicId?: string;
  readonly leaders: readonly number[];
}

export class ScriptedBroker {
  readonly nodeId: number;
  port = 0;
  /** Every request in the order of arrival. */
  readonly received: { readonly api: string; readonly version: number; readonly body: DecodedFields<Fields> }[] = [];
  /** Brokers of the cluster for metadata; this one alone unless the test says otherwise. */
  peers: readonly ScriptedBroker[] = [this];
  topics: ScriptedTopic[] = [];
  readonly #served = new Map<number, Served>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(nodeId: number) {
    this.nodeId = nodeId;
    this.#server = createServer((socket) => this.#accept(socket));
    this.serve(apiVersions, () => ({
      errorCode: 0,
      apiKeys: [...this.#served.values()].map(({ api }) => ({
        apiKey: api.key,
        minVersion: api.request.versions.from,
        maxVersion: api.request.versions.to,
      })),
    }));
    this.serve(metadata, (body) => this.#describe(body.topics?.map(({ name }) => name) ?? undefined));
  }

  static async start(nodeId = 1): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(nodeId);
    await new Promise<void>((resolve) => {
      broker.#server.listen(0, '127.0.0.1', resolve);
    });
    const address = broker.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    broker.port = address.port;
    return broker;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Answers requests of an API from now on. */
  serve<Req extends Fields, Res extends Fields>(
    api: Api<Req, Res>,
    answer: (
      body: DecodedFields<Req>,
      version: number,
    ) => EncodableFields<Res> | Refusal | Promise<EncodableFields<Res> | Refusal>,
  ): void {
    this.#served.set(api.key, { api: api as unknown as Api, answer: answer as unknown as Served['answer'] });
  }

  count(apiName: string): number {
    return this.received.filter(({ api }) => api === apiName).length;
  }

  /** Cuts all connections; new ones are accepted. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.disconnect();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #describe(names: readonly (string | null)[] | undefined) {
    const asked = names ?? this.topics.map(({ name }) => name);
    return {
      brokers: this.peers.map(({ nodeId, port }) => ({ nodeId, host: '127.0.0.1', port })),
      clusterId: 'scripted',
      controllerId: this.peers[0]!.nodeId,
      topics: asked.map((name) => {
        const topic = this.topics.find((each) => each.name === name);
        const partitions = (topic?.leaders ?? []).map((leaderId, partitionIndex) => ({
          errorCode: 0,
          partitionIndex,
          leaderId,
          leaderEpoch: 0,
          replicaNodes: [leaderId],
          isrNodes: [leaderId],
          offlineReplicas: [],
        }));
        const topicId = topic?.topicId ?? 'AAAAAAAAAAAAAAAAAAAAAA';
        return { errorCode: topic === undefined ? 3 : 0, name, topicId, partitions };
      }),
    };
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    let bytes = Buffer.alloc(0);
    let answered: Promise<void> = Promise.resolve();
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const end = 4 + bytes.readInt32BE(0);
        const frame = bytes.subarray(4, end);
        bytes = bytes.subarray(end);
        // Answers keep the order of the requests, however long one takes.
        const reply = this.#reply(frame);
        answered = answered.then(async () => this.#write(socket, await reply));
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }

  async #reply(frame: Buffer): Promise<readonly ReplyPart[] | Refusal> {
    const header = decodeRequestHeader(frame, (key, version) => {
      const api = this.#served.get(key)?.api;
      return api === undefined ? undefined : includesVersion(api.request.flexible, version);
    });
    const served = this.#served.get(header.apiKey);
    if (served === undefined) return 'close';
    const body = decodeRequestBody(served.api, header.apiVersion, frame, header.bodyAt);
    this.received.push({ api: served.api.name, version: header.apiVersion, body });
    const answer = await served.answer(body, header.apiVersion);
    if (answer === 'close' || answer === 'silence') return answer;
    return encodeResponseFrame(served.api, header.apiVersion, header.correlationId, answer);
  }

  #write(socket: Socket, reply: readonly ReplyPart[] | Refusal): void {
    if (reply === 'close') socket.destroy();
    if (reply === 'close' || reply === 'silence' || socket.destroyed) return;
    if (partsLength(reply) === 0) return;
    for (const part of reply) socket.write(part as Uint8Array);
  }
}
