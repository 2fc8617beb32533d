/**
 * The sending process of zero-copy.ts: whoever connects gets the file, in the way that the parameters name. Told `usage`
 * by its parent, it answers with what it has used so far.
 */
import { createReadStream, openSync, read, statSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { disk } from '../src/base/disk.ts';
import { libc } from '../src/base/libc.ts';
import { loadBrokerConfig } from '../src/config/broker-config.ts';
import { createSendStatistics } from '../src/network/send-file.ts';
import { SocketWriter } from '../src/network/socket-writer.ts';
import { nodeTransport } from '../src/network/transport.ts';

export const WAYS = ['pipe', 'read', 'sendfile'] as const;
export type Way = (typeof WAYS)[number];

/** The first message. */
export interface Ready {
  readonly port: number;
}

const READ_BYTES = 64 * 1024;

async function sendBySendfile(path: string): Promise<number> {
  if (libc === undefined) throw new Error('sendfile needs koffi, which is not installed');
  const systemCalls = libc;
  const { size } = statSync(path);
  const file = disk.open(path);
  const sendBufferBytes = loadBrokerConfig().get('socket.send.buffer.bytes');
  const server = await nodeTransport.listen(
    { host: '127.0.0.1', port: 0, backlog: 5 },
    {
      admit: () => true,
      onGone: () => undefined,
      onAcceptError: () => undefined,
      onSocket: (socket) => {
        systemCalls.setSendBuffer(socket.descriptor(), sendBufferBytes);
        const writer = new SocketWriter({
          socket,
          libc: systemCalls,
          statistics: createSendStatistics(),
          onProgress: () => undefined,
          onFailure: (error) => {
            throw error;
          },
        });
        writer.enqueue([{ file, position: 0, length: size, release: () => undefined }]);
        writer.flush();
        return {
          onData: () => undefined,
          onEnd: () => socket.end(),
          onDrain: () => undefined,
          onClose: () => writer.abort(),
        };
      },
    },
  );
  return server.port;
}

/** One buffer a connection: the next read waits until the last write has left it. */
function sendByReading(descriptor: number, socket: Socket): void {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const next = (position: number): void => {
    read(descriptor, buffer, 0, READ_BYTES, position, (error, count) => {
      if (error !== null) throw error;
      if (count === 0) return;
      socket.write(buffer.subarray(0, count), () => next(position + count));
    });
  };
  next(0);
}

function sendByCopying(way: 'pipe' | 'read', path: string): Promise<number> {
  const descriptor = openSync(path, 'r');
  const server = createServer({ noDelay: true }, (socket) => {
    // The reader leaves as soon as it has all.
    socket.on('error', () => undefined);
    if (way === 'pipe') createReadStream(path).pipe(socket);
    else sendByReading(descriptor, socket);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
}

async function serve(way: string, path: string): Promise<void> {
  const known = WAYS.find((name) => name === way);
  if (known === undefined) throw new Error(`${way}: one of ${WAYS.join(', ')}`);
  const port = known === 'sendfile' ? await sendBySendfile(path) : await sendByCopying(known, path);
  process.on('message', () => process.send?.(process.resourceUsage()));
  process.once('disconnect', () => process.exit());
  process.send?.({ port } satisfies Ready);
}

await serve(process.argv[2] ?? '', process.argv[3] ?? '');
