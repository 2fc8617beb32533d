/** The way of a simulated host's programs to the ZooKeeper ensemble in memory, beside the one to all other hosts. */
import type { SimulatedEnsemble } from '../../src/metadata/quorums/zookeeper/ensemble.test-kit.ts';
import type { Transport, TransportSocket } from '../../src/network/transport.ts';
import type { SimulatedProcess } from './process.ts';

const ENSEMBLE_HOST = /^zk\d+$/;

/** `sockets` gets those that are open, so that a kernel can close them. */
export function withEnsemble(
  own: Transport,
  ensemble: SimulatedEnsemble,
  process: SimulatedProcess,
  sockets: Set<TransportSocket>,
): Transport {
  return {
    listen: own.listen,
    connect: (address, listener) => {
      if (!ENSEMBLE_HOST.test(address.host)) return own.connect(address, listener);
      const socket = ensemble.transport(process.host).connect(address, {
        onConnect: () => process.run(() => listener.onConnect()),
        onData: (chunk) => process.run(() => listener.onData(chunk)),
        onEnd: () => process.run(() => listener.onEnd()),
        onDrain: () => process.run(() => listener.onDrain()),
        onClose: (error) => {
          sockets.delete(socket);
          process.run(() => listener.onClose(error));
        },
      });
      sockets.add(socket);
      // A host without power sends nothing, although its program runs to the end of its turn.
      const write: TransportSocket['write'] = (bytes, flushed) => process.alive && socket.write(bytes, flushed);
      return Object.create(socket, { write: { value: write } }) as TransportSocket;
    },
  };
}
