/** Faults of the outside: strangers at a broker's port, who send what no client sends, and many of them at once. */
import { connect, type Socket } from 'node:net';
import type { Random } from '../../../src/base/random.ts';
import { apiVersions } from '../../../src/protocol/apis/api-versions.ts';
import { describeConfigs } from '../../../src/protocol/apis/describe-configs.ts';
import { fetch } from '../../../src/protocol/apis/fetch.ts';
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.ts';
import { joinGroup } from '../../../src/protocol/apis/join-group.ts';
import { listOffsets } from '../../../src/protocol/apis/list-offsets.ts';
import { metadata } from '../../../src/protocol/apis/metadata.ts';
import { offsetCommit } from '../../../src/protocol/apis/offset-commit.ts';
import { produce } from '../../../src/protocol/apis/produce.ts';
import { encodeRequestFrame } from '../../../src/protocol/frames.ts';
import type { Api } from '../../../src/protocol/schema.ts';
import { randomValue } from '../../support/schema-values.ts';
import type { Broker } from '../harness/broker.ts';
import { everywhere, type FaultKind, faultOfOne } from './fault.ts';

/** What any client may ask for without changing a cluster: nothing protects it from a valid request of an operator's. */
const APIS: readonly Api[] = [
  apiVersions,
  describeConfigs,
  fetch,
  findCoordinator,
  joinGroup,
  listOffsets,
  metadata,
  offsetCommit,
  produce,
];
const STRANGERS = 40;
const LONGEST_GARBAGE_BYTES = 3000;
const LONGEST_PAUSE_MS = 100;
const FLOOD_CONNECTIONS = 300;
const SLOW_LORIS_PAUSE_MS = 500;
const PREFIX_BYTES = 4;

/** Any bytes, lengths that lie, and requests that are nearly right. */
function garbage(random: Random): Buffer {
  const bytes = Buffer.from(random.bytes(1 + random.below(LONGEST_GARBAGE_BYTES)));
  const kind = random.below(4);
  if (kind === 0 || bytes.length < PREFIX_BYTES) return bytes;
  if (kind === 1) {
    bytes.writeInt32BE([-1, 0, 2 ** 31 - 1, 50 * 2 ** 20, bytes.length * 2][random.below(5)]!);
    return bytes;
  }
  return mutated(random);
}

/** A request in any version in which some bytes are others. */
function mutated(random: Random): Buffer {
  const api = APIS[random.below(APIS.length)]!;
  const { from, to } = api.request.versions;
  const version = from + random.below(to - from + 1);
  const header = { correlationId: random.below(2 ** 31), clientId: 'stranger' };
  const frame = Buffer.concat(encodeRequestFrame(api, version, header, randomValue(api.request, version, random)));
  for (let change = random.below(4); change > 0 && frame.length > PREFIX_BYTES; change--) {
    frame[PREFIX_BYTES + random.below(frame.length - PREFIX_BYTES)] = random.below(256);
  }
  return frame;
}

/** Connections that do as `behave` says until `close`; what becomes of each is nobody's business. */
class Strangers {
  readonly #broker: Broker;
  readonly #sockets = new Set<Socket>();
  #over = false;

  constructor(broker: Broker, count: number, behave: (socket: Socket, again: () => void) => void) {
    this.#broker = broker;
    for (let number = 0; number < count; number++) this.#come(behave);
  }

  #come(behave: (socket: Socket, again: () => void) => void): void {
    if (this.#over) return;
    const { host, port } = this.#broker.place;
    const socket = connect({ host: host.address, port });
    this.#sockets.add(socket);
    const again = (): void => {
      if (!this.#sockets.delete(socket)) return;
      socket.destroy();
      setTimeout(() => this.#come(behave), LONGEST_PAUSE_MS);
    };
    socket.on('error', () => undefined);
    socket.on('close', again);
    socket.on('data', () => undefined);
    socket.once('connect', () => behave(socket, again));
  }

  close(): void {
    this.#over = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

const garbageToPort = faultOfOne({
  name: 'garbage to a port',
  weight: 2,
  parts: ['leader', 'controller', 'coordinator'],
  possible: everywhere,
  harm: (victim, { random }) => {
    const strangers = new Strangers(victim, STRANGERS, (socket, again) => {
      socket.write(garbage(random));
      setTimeout(again, random.below(LONGEST_PAUSE_MS));
    });
    return { heal: () => strangers.close() };
  },
});

/** Many who connect and dawdle: half of a request, a byte at a time. */
const slowLoris = faultOfOne({
  name: 'connection flood',
  weight: 1,
  parts: ['leader', 'controller'],
  possible: everywhere,
  harm: (victim) => {
    const strangers = new Strangers(victim, FLOOD_CONNECTIONS, (socket) => {
      const bytes = Buffer.from('000000640003000c0000000100', 'hex');
      let sent = 0;
      const timer = setInterval(() => {
        if (socket.destroyed || sent === bytes.length) clearInterval(timer);
        else socket.write(bytes.subarray(sent, ++sent));
      }, SLOW_LORIS_PAUSE_MS);
    });
    return { heal: () => strangers.close() };
  },
});

export const STRANGER_FAULTS: readonly FaultKind[] = [garbageToPort, slowLoris];
