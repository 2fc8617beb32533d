import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SluiceError } from '../base/errors.ts';
import { silentLogger } from '../base/logger.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import type { Channel } from '../network/channel.ts';
import { FRAME_PREFIX_BYTES } from '../network/frame-reader.ts';
import { allocateProducerIds } from '../protocol/apis/allocate-producer-ids.ts';
import { envelope } from '../protocol/apis/envelope.ts';
import { joinParts } from '../protocol/codec.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { decodeRequestHeader, encodeResponseFrame } from '../protocol/frames.ts';
import { ControllerGateway } from './controller-gateway.ts';

const RESPONSE = Buffer.from('the response');
const GRANTED = { errorCode: 0, producerIdStart: 7000, producerIdLen: 1000 };
const lost = (): SluiceError => new SluiceError('BROKER_DISCONNECTED', 'closed', { retriable: true });

/** A gateway among nodes that answer as the test says; time passes by itself. */
async function withGateway(
  work: (scene: {
    gateway: ControllerGateway;
    quorum: { here: boolean; address: { host: string; port: number } | undefined };
    nodes: Map<number, (body: object, api: { key: number }) => object>;
    opened: number[];
  }) => Promise<void>,
): Promise<void> {
  const clock = new SimulatedClock();
  const quorum = { here: false, address: undefined as { host: string; port: number } | undefined };
  const nodes = new Map<number, (body: object, api: { key: number }) => object>();
  const opened: number[] = [];
  const connect = async ({ port }: { port: number }): Promise<Channel> => {
    const node = nodes.get(port);
    if (node === undefined) throw new SluiceError('BROKER_UNREACHABLE', 'nobody', { retriable: true });
    opened.push(port);
    const channel = {
      open: true,
      request: async (api: { key: number }, _: number, body: object) => {
        try {
          return node(body, api);
        } catch (error) {
          channel.open = false;
          throw error;
        }
      },
      close: async () => undefined,
    };
    return channel as unknown as Channel;
  };
  const answer = async (frame: Buffer): Promise<Buffer | undefined> => {
    const { apiKey, correlationId } = decodeRequestHeader(frame, () => true);
    assert.equal(apiKey, allocateProducerIds.key);
    return joinParts(encodeResponseFrame(allocateProducerIds, 0, correlationId, GRANTED)).subarray(FRAME_PREFIX_BYTES);
  };
  const gateway = new ControllerGateway(
    { timeoutMs: 1000, patienceMs: 1000 },
    {
      clock,
      logger: silentLogger,
      quorum: { isActiveController: () => quorum.here, controllerAddress: () => quorum.address },
      connect,
      answer,
    },
  );
  const time = setInterval(() => clock.advance(10), 1);
  try {
    await work({ gateway, quorum, nodes, opened });
  } finally {
    clearInterval(time);
  }
}

const enveloped = (errorCode: number) => () => ({ errorCode, responseData: errorCode === 0 ? RESPONSE : null });

describe('the way to the controller', () => {
  it('passes on a frame, and keeps its connection for the next one', async () => {
    await withGateway(async ({ gateway, quorum, nodes, opened }) => {
      quorum.address = { host: 'h', port: 1 };
      const seen: object[] = [];
      nodes.set(1, (body, api) => {
        assert.equal(api.key, envelope.key);
        seen.push(body);
        return enveloped(0)();
      });
      const frame = Buffer.from('a frame');
      assert.equal(await gateway.forward(frame), RESPONSE);
      assert.equal(await gateway.forward(frame), RESPONSE);
      assert.deepEqual(opened, [1]);
      assert.equal((seen[0] as { requestData: Buffer }).requestData, frame);
    });
  });

  it('waits for a controller, and goes to the next one where one is none any more', async () => {
    await withGateway(async ({ gateway, quorum, nodes, opened }) => {
      setTimeout(() => {
        quorum.address = { host: 'h', port: 1 };
      }, 5);
      nodes.set(1, () => {
        quorum.address = { host: 'h', port: 2 };
        return enveloped(ErrorCode.NOT_CONTROLLER)();
      });
      nodes.set(2, enveloped(0));
      assert.equal(await gateway.forward(Buffer.from('a frame')), RESPONSE);
      assert.deepEqual(opened, [1, 2]);
    });
  });

  it('gives a frame back where there is no controller in time, or it is here by then', async () => {
    await withGateway(async ({ gateway, quorum }) => {
      assert.equal(await gateway.forward(Buffer.from('a frame')), undefined);
      setTimeout(() => {
        quorum.here = true;
      }, 5);
      assert.equal(await gateway.forward(Buffer.from('a frame')), undefined);
    });
  });

  it("brings a broker's own requests to the controller, here or elsewhere", async () => {
    await withGateway(async ({ gateway, quorum, nodes }) => {
      quorum.address = { host: 'h', port: 1 };
      nodes.set(1, () => ({ ...GRANTED, producerIdStart: 1 }));
      const body = { brokerId: 1, brokerEpoch: 2 };
      assert.equal((await gateway.request(allocateProducerIds, body)).producerIdStart, 1);
      quorum.here = true;
      assert.equal((await gateway.request(allocateProducerIds, body)).producerIdStart, 7000);
    });
  });

  it('tells where the outcome of a request is unknown, and repeats only what was never sent', async () => {
    await withGateway(async ({ gateway, quorum, nodes }) => {
      quorum.address = { host: 'h', port: 1 };
      let asked = 0;
      setTimeout(() => {
        nodes.set(1, () => {
          asked++;
          throw lost();
        });
      }, 5);
      const body = { brokerId: 1, brokerEpoch: 2 };
      await assert.rejects(gateway.request(allocateProducerIds, body), { code: 'BROKER_DISCONNECTED' });
      assert.equal(asked, 1);
    });
  });
});
