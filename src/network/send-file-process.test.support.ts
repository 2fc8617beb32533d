/** Run as a process of its own: sends a file region to a port and exits. Arguments: port, path, length. */
import { disk } from '../base/disk.ts';
import { libc } from '../base/libc.ts';
import { createSendStatistics } from './send-file.ts';
import { SocketWriter } from './socket-writer.ts';
import { nodeTransport } from './transport.ts';

const [port, path, length] = process.argv.slice(2);
const file = disk.openReadOnly(path!);
const socket = nodeTransport.connect(
  { host: '127.0.0.1', port: Number(port) },
  {
    onConnect: () => {
      const writer = new SocketWriter({
        socket,
        libc: process.env['SEND_BY_COPY'] === '1' ? undefined : libc,
        statistics: createSendStatistics(),
        onProgress: () => undefined,
        onFailure: (error) => {
          throw error;
        },
      });
      const region = { file, position: 0, length: Number(length), release: () => socket.end() };
      writer.enqueue([Buffer.from('head'), region]);
      writer.flush();
    },
    onData: () => undefined,
    onEnd: () => undefined,
    onDrain: () => undefined,
    onClose: () => process.exit(0),
  },
);
