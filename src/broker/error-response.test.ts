import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declaredSchemas } from '../../test/support/declared-schemas.ts';
import { randomValue } from '../../test/support/schema-values.ts';
import { type LogFields, type Logger, silentLogger } from '../base/logger.ts';
import { seededRandom } from '../base/random.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import type { Reply } from '../network/reply-queue.ts';
import { defaultOf } from '../protocol/codec/interpret.ts';
import { decodeWhole, encodeToBuffer, joinParts } from '../protocol/codec.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { decodeResponseFrame, encodeRequestFrame } from '../protocol/frames.ts';
import type { Api, Fields } from '../protocol/schema.ts';
import { includesVersion } from '../protocol/versions.ts';
import { ownConnection } from './answering.ts';
import { createDispatch } from './dispatch.ts';
import { errorResponse } from './error-response.ts';
import { type Handler, handler } from './handler.ts';
import { HandlerFailures } from './handler-failures.ts';

const { UNKNOWN_SERVER_ERROR } = ErrorCode;
type Values = Record<string, unknown>;

/** How many error codes a response tells, all of which must be this one. */
function errorsIn(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + errorsIn(each), 0);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return 0;
  return Object.entries(value).reduce((sum, [name, each]) => {
    if (name !== 'errorCode' || each === 0) return sum + errorsIn(each);
    assert.equal(each, UNKNOWN_SERVER_ERROR);
    return sum + 1;
  }, 0);
}

function tells(fields: Fields, version: number): boolean {
  return fields['errorCode'] !== undefined && includesVersion(fields['errorCode'].versions, version);
}

/** A request that names two of everything. */
function twoOfEach(fields: Fields, version: number): Values {
  const entries = Object.entries(fields).map(([name, field]): [string, unknown] => {
    if (!includesVersion(field.versions, version) || field.kind !== 'array') return [name, defaultOf(field)];
    const { fields: inner } = field.element!;
    const one = (): unknown => (inner === undefined ? defaultOf(field.element!) : twoOfEach(inner, version));
    return [name, [one(), one()]];
  });
  return Object.fromEntries(entries);
}

describe('the response to a request whose handler fails', () => {
  it('can be read in every version of every API, and says so', async () => {
    const random = seededRandom(11);
    for (const api of (await declaredSchemas()).apis) {
      for (let version = api.request.versions.from; version <= api.request.versions.to; version++) {
        for (let round = 0; round < 20; round++) {
          const request =
            round === 0 ? twoOfEach(api.request.fields, version) : randomValue(api.request, version, random);
          const response = errorResponse(api, version, request, UNKNOWN_SERVER_ERROR);
          const bytes = encodeToBuffer(api.response, version, response);
          const read = decodeWhole(api.response, version, bytes, 0) as Values;
          const what = `${api.name} version ${version}`;
          if (tells(api.response.fields, version)) assert.equal(read['errorCode'], UNKNOWN_SERVER_ERROR, what);
          else if (round === 0) assert.ok(errorsIn(read) >= 2, what);
        }
      }
    }
  });

  it('has an error for each thing that was asked for, by its name', async () => {
    const { apis } = await declaredSchemas();
    const of = (name: string): Api => apis.find((api) => api.name === name)!;
    const refused = (name: string, version: number, request: Values): unknown =>
      decodeWhole(
        of(name).response,
        version,
        encodeToBuffer(of(name).response, version, errorResponse(of(name), version, request, UNKNOWN_SERVER_ERROR)),
        0,
      );
    const partitionData = [1, 4].map((index) => ({ index, records: null }));
    const produced = refused('Produce', 9, { acks: 1, topicData: [{ name: 'a', partitionData }] }) as Values;
    const [topic] = produced['responses'] as { name: string; partitionResponses: Values[] }[];
    assert.equal(topic!.name, 'a');
    assert.deepEqual(
      topic!.partitionResponses.map(({ index, errorCode }) => [index, errorCode]),
      [
        [1, -1],
        [4, -1],
      ],
    );
    const dirs = [{ path: '/d', topics: [{ name: 'a', partitions: [7] }] }];
    const moved = refused('AlterReplicaLogDirs', 2, { dirs }) as Values;
    assert.deepEqual(moved['results'], [{ topicName: 'a', partitions: [{ partitionIndex: 7, errorCode: -1 }] }]);
    const deleted = refused('DeleteTopics', 5, { topicNames: ['x'] }) as { responses: Values[] };
    assert.deepEqual([deleted.responses[0]!['name'], deleted.responses[0]!['errorCode']], ['x', -1]);
    assert.match(String(deleted.responses[0]!['errorMessage']), /inside the broker/);
    const found = refused('FindCoordinator', 4, { coordinatorKeys: ['g'] }) as { coordinators: Values[] };
    assert.deepEqual([found.coordinators[0]!['key'], found.coordinators[0]!['errorCode']], ['g', -1]);
    const fetched = refused('OffsetFetch', 8, { groups: [{ groupId: 'g', topics: null }] }) as { groups: Values[] };
    assert.deepEqual([fetched.groups[0]!['groupId'], fetched.groups[0]!['errorCode']], ['g', -1]);
  });
});

describe('a request that only a controller can answer', () => {
  it('is refused with what hinders the controller, unless a broker asks, which tries again by itself', async () => {
    const { apis } = await declaredSchemas();
    const named = (name: string): Api => apis.find((api) => api.name === name)!;
    const logger = silentLogger;
    const answered = () => ({ topics: [], errorCode: ErrorCode.NOT_CONTROLLER });
    const handlers = [
      handler(named('CreateTopics'), answered as never, { forController: true }),
      handler(named('AllocateProducerIds'), answered as never, { forController: true, peerOnly: true }),
    ];
    let forwarded = 0;
    const toController = {
      isHere: false,
      forward: async () => {
        forwarded++;
        return undefined;
      },
    };
    const failures = new HandlerFailures({ clock: new SimulatedClock(), logger });
    const obstacle = (): string => 'no majority of ZooKeeper servers (a:1)';
    const dispatch = createDispatch(handlers, { logger, failures }, { toController, obstacle });
    const ask = async (api: Api, request: Values): Promise<Values> => {
      const version = api.request.versions.to;
      const frame = joinParts(encodeRequestFrame(api, version, { correlationId: 5, clientId: 'c' }, request));
      const reply = await dispatch(frame.subarray(4), ownConnection());
      assert.ok(typeof reply !== 'string');
      return decodeResponseFrame(api, version, joinParts(reply).subarray(4)).body as Values;
    };
    const topics = [{ name: 'x', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
    const created = await ask(named('CreateTopics'), { topics, timeoutMs: 1, validateOnly: false });
    const [topic] = created['topics'] as Values[];
    assert.deepEqual(
      [topic!['name'], topic!['errorCode'], topic!['errorMessage']],
      ['x', UNKNOWN_SERVER_ERROR, 'no majority of ZooKeeper servers (a:1)'],
    );
    const ids = await ask(named('AllocateProducerIds'), { brokerId: 1, brokerEpoch: 1 });
    assert.equal(ids['errorCode'], ErrorCode.NOT_CONTROLLER);
    assert.equal(forwarded, 2);
  });
});

describe('a handler that fails', () => {
  const errors: [string, LogFields][] = [];
  const none = (): void => undefined;
  const logger: Logger = {
    debug: none,
    info: none,
    warn: none,
    error: (message, fields = {}) => errors.push([message, fields]),
    with: () => logger,
  };
  const clock = new SimulatedClock();
  const failing = (api: Api, handle: () => never | Promise<never>): Handler => handler(api, handle);

  it('leaves the connection open, is answered for, and is told once a minute', async () => {
    const { apis } = await declaredSchemas();
    const produce = apis.find(({ key }) => key === 0)!;
    const handlers = apis.map((api) =>
      failing(
        api,
        api.key % 2 === 0
          ? () => {
              throw new TypeError('no replicas');
            }
          : () => Promise.reject(new TypeError('no replicas')),
      ),
    );
    const dispatch = createDispatch(handlers, { logger, failures: new HandlerFailures({ clock, logger }) });
    const random = seededRandom(3);
    const ask = async (api: Api, request: Values): Promise<Reply> => {
      const version = api.request.versions.to;
      const frame = joinParts(encodeRequestFrame(api, version, { correlationId: 5, clientId: 'c' }, request));
      return dispatch(frame.subarray(4), ownConnection());
    };
    for (let round = 0; round < 3; round++) {
      for (const api of apis) {
        const request = randomValue(api.request, api.request.versions.to, random);
        if (api === produce) request['acks'] = 1;
        const reply = await ask(api, request);
        assert.ok(typeof reply !== 'string', `${api.name}: ${String(reply)}`);
        const { correlationId } = decodeResponseFrame(api, api.request.versions.to, joinParts(reply).subarray(4));
        assert.equal(correlationId, 5);
      }
    }
    assert.equal(errors.length, apis.length, 'one line an API');
    assert.equal(await ask(produce, { acks: 0, timeoutMs: 1, topicData: [] }), 'close');
    clock.advance(60_000);
    await ask(produce, { acks: 1, timeoutMs: 1, topicData: [] });
    assert.deepEqual(errors.at(-1)![1]['timesSince'], 3);
    assert.match(String(errors.at(-1)![1]['stack']), /no replicas/);
  });
});
