/**
 * A TCP proxy that notes every frame between clients and a broker, in order, with the API and version that the
 * request's header names. It passes bytes on untouched.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface RecordedFrame {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly direction: 'request' | 'response';
  /** Without the 4 bytes of size. */
  readonly bytes: Buffer;
}

export interface RecordingProxy {
  readonly port: number;
  /** What was recorded since the last call. */
  take(): RecordedFrame[];
  close(): Promise<void>;
}

export interface ProxyOptions {
  readonly port: number;
  readonly brokerPort: number;
}

export function startRecordingProxy({ port, brokerPort }: ProxyOptions): Promise<RecordingProxy> {
  let recorded: RecordedFrame[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const broker = connect({ port: brokerPort, host: '127.0.0.1' });
    /** Correlation id to what was asked, of this connection alone. */
    const asked = new Map<number, { apiKey: number; apiVersion: number }>();
    const requests = frameSplitter((bytes) => {
      const api = { apiKey: bytes.readInt16BE(0), apiVersion: bytes.readInt16BE(2) };
      asked.set(bytes.readInt32BE(4), api);
      recorded.push({ ...api, direction: 'request', bytes });
    });
    const responses = frameSplitter((bytes) => {
      const api = asked.get(bytes.readInt32BE(0));
      if (api !== undefined) recorded.push({ ...api, direction: 'response', bytes });
    });
    join(client, broker, requests);
    join(broker, client, responses);
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      resolve({
        port,
        take: () => {
          const taken = recorded;
          recorded = [];
          return taken;
        },
        close: () => closeServer(server, sockets),
      });
    });
  });
}

function join(from: Socket, to: Socket, observe: (chunk: Buffer) => void): void {
  from.on('data', (chunk: Buffer) => {
    // Noted before it is passed on, so that no response is seen ahead of its request.
    observe(chunk);
    to.write(chunk);
  });
  from.on('end', () => to.end());
  // A side that resets takes the other with it; clients do so at will.
  from.on('error', () => to.destroy());
}

function frameSplitter(onFrame: (bytes: Buffer) => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= 4) {
      const end = 4 + pending.readInt32BE(0);
      if (pending.length < end) return;
      onFrame(Buffer.from(pending.subarray(4, end)));
      pending = pending.subarray(end);
    }
  };
}

function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  return new Promise((resolve) => server.close(() => resolve()));
}
