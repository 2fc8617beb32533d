/**
 * One warm 1 GiB region to a loopback reader in another process: by sendfile, and by the copying path that stands in
 * where koffi is absent. Run: node dist/bench/send-file.js [MiB] [rounds]
 */
import { fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { disk } from '../src/base/disk.ts';
import type { FileHandle } from '../src/base/file-system.ts';
import { type Libc, libc } from '../src/base/libc.ts';
import { makeTemporaryDirectory } from '../src/base/temporary-directory.ts';
import { createSendStatistics, type SendStatistics } from '../src/network/send-file.ts';
import { SocketWriter } from '../src/network/socket-writer.ts';
import { nodeTransport } from '../src/network/transport.ts';

const MIB = 1024 * 1024;

/** The reading process: takes bytes until it has as many as were promised, then says so and waits for the next. */
function receive(port: number, length: number): void {
  const scratch = Buffer.allocUnsafeSlow(MIB);
  let received = 0;
  connect({
    host: '127.0.0.1',
    port,
    onread: {
      buffer: scratch,
      callback: (count: number): boolean => {
        received += count;
        if (received === length) process.send?.('done');
        return true;
      },
    },
  });
}

async function sendOnce(
  file: FileHandle,
  length: number,
  systemCalls: Libc | undefined,
): Promise<{ seconds: number; statistics: SendStatistics }> {
  const statistics = createSendStatistics();
  let start = 0;
  const server = await nodeTransport.listen(
    { host: '127.0.0.1', port: 0, backlog: 5 },
    {
      admit: () => true,
      onGone: () => undefined,
      onAcceptError: () => undefined,
      onSocket: (socket) => {
        const options = { socket, libc: systemCalls, statistics, onProgress: () => undefined };
        const writer = new SocketWriter({
          ...options,
          onFailure: (error) => {
            throw error;
          },
        });
        start = performance.now();
        writer.enqueue([{ file, position: 0, length, release: () => undefined }]);
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
  const reader = fork(process.argv[1]!, ['receive', String(server.port), String(length)]);
  await new Promise((resolve) => reader.once('message', resolve));
  const seconds = (performance.now() - start) / 1000;
  reader.kill();
  server.close();
  return { seconds, statistics };
}

async function main(): Promise<void> {
  const length = Number(process.argv[2] ?? 1024) * MIB;
  const rounds = Number(process.argv[3] ?? 3);
  const directory = makeTemporaryDirectory('sluice-bench');
  const file = disk.open(join(directory, 'region'));
  try {
    const block = Buffer.alloc(8 * MIB, 'sluice');
    for (let at = 0; at < length; at += block.length) file.writeSync([block], at);
    for (let round = 0; round < rounds; round++) {
      for (const [name, calls] of [
        ['sendfile', libc],
        ['copy', undefined],
      ] as const) {
        if (name === 'sendfile' && calls === undefined) continue;
        const { seconds, statistics } = await sendOnce(file, length, calls);
        const rate = (length / seconds / 1e9).toFixed(2);
        const copied = ((statistics.copiedBytes / length) * 100).toFixed(3);
        const waits = `${statistics.fullSockets} waits, ${statistics.coldReads} cold reads`;
        console.log(`${name.padEnd(8)} ${rate} GB/s  ${copied} % copied, ${statistics.sendfileCalls} calls, ${waits}`);
      }
    }
  } finally {
    file.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

if (process.argv[2] === 'receive') receive(Number(process.argv[3]), Number(process.argv[4]));
else await main();
