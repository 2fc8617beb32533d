import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { disk } from '../base/disk.ts';
import { isFileRegion, type ReplyPart } from '../base/file-region.ts';
import type { FileHandle } from '../base/file-system.ts';
import { Errno, type Libc, libc } from '../base/libc.ts';
import { seededRandom, systemRandom } from '../base/random.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { aWhile, eventually, patternBytes, RawClient, RegionCounter } from './loopback.test.support.ts';
import { createSendStatistics, type SendStatistics } from './send-file.ts';
import { SocketWriter } from './socket-writer.ts';
import { nodeTransport, type TransportSocket } from './transport.ts';

const directory = makeTemporaryDirectory('sluice-send');
const CONTENT = patternBytes(24 * 1024 * 1024 + 77);
const file = disk.open(join(directory, 'content'));
file.writeSync([CONTENT], 0);
after(() => {
  file.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Harness {
  readonly client: RawClient;
  readonly writer: SocketWriter;
  readonly socket: TransportSocket;
  readonly statistics: SendStatistics;
  readonly failures: unknown[];
  gone: boolean;
}

/** A writer on the accepting side and a raw client on the other. */
async function harness(systemCalls: Libc | undefined): Promise<Harness> {
  const statistics = createSendStatistics();
  const failures: unknown[] = [];
  let made: Harness | undefined;
  let client: RawClient | undefined;
  const server = await nodeTransport.listen(
    { host: '127.0.0.1', port: 0, backlog: 5 },
    {
      admit: () => true,
      onGone: () => undefined,
      onAcceptError: (error) => assert.fail(error),
      onSocket: (socket) => {
        const writer = new SocketWriter({
          socket,
          libc: systemCalls,
          statistics,
          onProgress: () => undefined,
          onFailure: (error) => {
            failures.push(error);
            socket.destroy();
          },
        });
        made = { client: client!, writer, socket, statistics, failures, gone: false };
        const here = made;
        return {
          onData: () => undefined,
          onEnd: () => socket.end(),
          onDrain: () => undefined,
          onClose: () => {
            here.gone = true;
            writer.abort();
          },
        };
      },
    },
  );
  client = new RawClient(server.port);
  await eventually('the connection is accepted', () => made !== undefined);
  server.close();
  return made!;
}

function send(target: Harness, parts: readonly ReplyPart[]): void {
  target.writer.enqueue(parts);
  target.writer.flush();
}

async function finish(target: Harness): Promise<void> {
  target.client.socket.destroy();
  await eventually('the server side is gone', () => target.gone);
}

const ways: { name: string; calls: Libc | undefined; skip: string | false }[] = [
  { name: 'with sendfile', calls: libc, skip: libc === undefined ? 'koffi is not available' : false },
  { name: 'by copying', calls: undefined, skip: false },
];

for (const { name, calls, skip } of ways) {
  test(`random replies of buffers and regions arrive byte for byte ${name}`, { skip }, async () => {
    const seed = Number(process.env['SEED'] ?? systemRandom.below(2 ** 31));
    const random = seededRandom(seed);
    const target = await harness(calls);
    const regions = new RegionCounter();
    const expected: Buffer[] = [];
    let total = 0;
    while (total < 60 * 1024 * 1024) {
      const parts: ReplyPart[] = [];
      for (let count = random.below(6); count >= 0; count--) {
        const length = [1, 100, 5000, 300_000, 6_000_000][random.below(5)]! + random.below(1000);
        const position = random.below(CONTENT.length - length);
        if (random.fraction() < 0.5) parts.push(regions.region(file, position, length));
        else if (length < 400_000) parts.push(CONTENT.subarray(position, position + length));
        else continue;
        expected.push(CONTENT.subarray(position, position + length));
        total += length;
      }
      send(target, parts);
      if (random.fraction() < 0.3) await aWhile(random.below(4));
    }
    await eventually(`${total} bytes arrive (seed ${seed})`, () => target.client.received >= total);
    assert.ok(target.client.bytes().equals(Buffer.concat(expected)), `seed ${seed}`);
    assert.equal(target.writer.idle, true);
    assert.equal(target.writer.queuedBytes, 0);
    assert.deepEqual([regions.released, regions.releasedTwice], [regions.handedOut, 0]);
    assert.deepEqual(target.failures, []);
    if (calls === undefined) assert.equal(target.statistics.sendfileBytes, 0);
    else {
      const { sendfileBytes, copiedBytes } = target.statistics;
      assert.ok(copiedBytes < sendfileBytes / 50, `${copiedBytes} of ${sendfileBytes} bytes were copied`);
    }
    await finish(target);
  });

  test(`a region after bytes that the kernel has not taken waits for them ${name}`, { skip }, async () => {
    const target = await harness(calls);
    target.client.socket.pause();
    const regions = new RegionCounter();
    const large = patternBytes(9 * 1024 * 1024, 5);
    send(target, [large]);
    assert.ok(target.socket.writableLength > 0, 'the socket is full');
    send(target, [regions.region(file, 100, 1_000_000)]);
    send(target, [regions.region(file, 5, 10), Buffer.from('end')]);
    target.client.socket.resume();
    await eventually('all arrives', () => target.client.received === large.length + 1_000_013);
    const expected = Buffer.concat([
      large,
      CONTENT.subarray(100, 1_000_100),
      CONTENT.subarray(5, 15),
      Buffer.from('end'),
    ]);
    assert.ok(target.client.bytes().equals(expected));
    assert.equal(regions.released, 2);
    await finish(target);
  });

  test(`a peer that resets in the middle of 200 MB releases every region once ${name}`, { skip }, async () => {
    const target = await harness(calls);
    const regions = new RegionCounter();
    for (let count = 0; count < 10; count++) send(target, [Buffer.from('head'), regions.region(file, 0, 20_000_000)]);
    await eventually('some of it arrives', () => target.client.received > 5_000_000);
    target.client.socket.resetAndDestroy();
    await eventually('the server side is gone', () => target.gone);
    await eventually('all regions are released', () => regions.released === regions.handedOut);
    await aWhile();
    assert.deepEqual([regions.handedOut, regions.released, regions.releasedTwice], [10, 10, 0]);
    assert.equal(target.writer.queuedBytes, 0);
  });

  test(`a peer that reads nothing holds a bounded part of a region in memory ${name}`, { skip }, async () => {
    const target = await harness(calls);
    target.client.socket.pause();
    const regions = new RegionCounter();
    send(target, [regions.region(file, 0, 20_000_000)]);
    await aWhile(100);
    assert.ok(target.socket.writableLength <= 256 * 1024, `${target.socket.writableLength} bytes are held`);
    assert.equal(regions.released, 0);
    await finish(target);
    await eventually('the region is released', () => regions.released === 1);
  });

  test(`a file shorter than its region fails the connection ${name}`, { skip }, async () => {
    const target = await harness(calls);
    const regions = new RegionCounter();
    send(target, [regions.region(file, CONTENT.length - 1000, 5000)]);
    await eventually('the connection fails', () => target.failures.length > 0 && target.gone);
    assert.match(String(target.failures[0]), /FILE_TRUNCATED|shorter than a reply/);
    assert.equal(regions.released, 1);
  });
}

test('a file without a descriptor is copied although sendfile is there', async () => {
  const target = await harness(libc);
  const regions = new RegionCounter();
  const simulated: FileHandle = {
    path: 'simulated',
    fd: -1,
    size: () => file.size(),
    writeSync: () => undefined,
    readSync: (into, position) => file.readSync(into, position),
    read: (into, position) => file.read(into, position),
    truncateSync: () => undefined,
    sync: async () => undefined,
    syncNow: () => undefined,
    close: () => undefined,
  };
  send(target, [regions.region(simulated, 3, 1_000_000), regions.region(file, 0, 50_000)]);
  await eventually('all arrives', () => target.client.received === 1_050_000);
  assert.ok(target.client.bytes().equals(Buffer.concat([CONTENT.subarray(3, 1_000_003), CONTENT.subarray(0, 50_000)])));
  assert.equal(target.statistics.copiedBytes, libc === undefined ? 1_050_000 : 1_000_000);
  await finish(target);
});

test('a read that is under way when the peer goes keeps the file open until it ends', async () => {
  const target = await harness(undefined);
  const regions = new RegionCounter();
  let endRead: ((count: number) => void) | undefined;
  const slow = { ...simulatedReads(), read: () => new Promise<number>((resolve) => (endRead = resolve)) };
  send(target, [regions.region(slow, 0, 1000), regions.region(file, 0, 10)]);
  await eventually('the read starts', () => endRead !== undefined);
  await finish(target);
  assert.equal(regions.released, 1, 'only the region that was not started is free');
  endRead!(1000);
  await eventually('the other follows', () => regions.released === 2);
  assert.equal(regions.releasedTwice, 0);
});

function simulatedReads(): FileHandle {
  return {
    path: 'simulated',
    fd: -1,
    size: () => 0,
    writeSync: () => undefined,
    readSync: () => 0,
    read: async () => 0,
    truncateSync: () => undefined,
    sync: async () => undefined,
    syncNow: () => undefined,
    close: () => undefined,
  };
}

test('a read error fails the connection and releases the region', async () => {
  const target = await harness(libc);
  const regions = new RegionCounter();
  const broken = { ...simulatedReads(), read: () => Promise.reject(new Error('EIO: i/o error')) };
  send(target, [Buffer.from('head'), regions.region(broken, 0, 1000)]);
  await eventually('the connection fails', () => target.gone);
  assert.match(String(target.failures[0]), /EIO/);
  assert.equal(regions.released, 1);
});

test('bytes that left the page cache are read off the loop and then sent by sendfile', async (context) => {
  if (libc === undefined) return context.skip('koffi is not available');
  const cold = disk.open(join(directory, 'cold'));
  cold.writeSync([CONTENT], 0);
  await cold.sync();
  libc.dropCache(cold.fd, 0, CONTENT.length);
  if (libc.isResident(cold.fd, 0, CONTENT.length)) {
    cold.close();
    return context.skip('this file system does not drop pages');
  }
  libc.dropCache(cold.fd, 0, CONTENT.length);
  const target = await harness(libc);
  const regions = new RegionCounter();
  send(target, [regions.region(cold, 0, CONTENT.length)]);
  await eventually('all arrives', () => target.client.received === CONTENT.length);
  assert.ok(target.client.bytes().equals(CONTENT));
  assert.ok(target.statistics.coldReads > 0);
  assert.ok(target.statistics.sendfileBytes > CONTENT.length * 0.98);
  await finish(target);
  assert.equal(regions.released, 1);
  cold.close();
});

test('a reader of cold data does not stall the loop nor a reader of warm data', async (context) => {
  if (libc === undefined) return context.skip('koffi is not available');
  // The disk is as slow as a test wants: residency says no, and the read takes its time on "the pool".
  const slowDisk = { ...simulatedReads(), fd: file.fd, read: () => aWhile(400).then(() => 1) };
  const calls: Libc = { ...libc, isResident: (_fd, position) => position < 1_000_000 };
  const cold = await harness(calls);
  const warm = await harness(calls);
  const regions = new RegionCounter();
  send(cold, [regions.region(slowDisk, 1_000_000, 1_000_000)]);
  const start = performance.now();
  send(warm, [regions.region(file, 0, 900_000)]);
  await eventually('the warm reader has its bytes', () => warm.client.received === 900_000);
  assert.ok(performance.now() - start < 300, 'before the disk answered the cold one');
  assert.equal(cold.client.received, 0);
  await eventually('the cold reader gets its bytes', () => cold.client.received === 1_000_000);
  assert.equal(cold.statistics.coldReads, 1);
  await finish(cold);
  await finish(warm);
});

test('one fast reader takes turns with the rest of the loop', async (context) => {
  if (libc === undefined) return context.skip('koffi is not available');
  // A socket that never fills up: only the bound on a turn can let others in.
  let sent = 0;
  const pretend: Libc['sendfile'] = (_socket, _file, _position, count) => {
    sent += count;
    return count;
  };
  const calls: Libc = { ...libc, sendfile: pretend };
  const target = await harness(calls);
  send(target, [new RegionCounter().region(file, 0, CONTENT.length)]);
  assert.ok(sent <= 4 * 1024 * 1024, `${sent} bytes in one turn`);
  await eventually('all is sent', () => sent === CONTENT.length);
  await finish(target);
});

test('a small region leaves with what stands before it, and so do many, up to a limit', {
  skip: libc === undefined && 'koffi is not available',
}, async () => {
  const target = await harness(libc);
  const regions = new RegionCounter();
  send(target, [Buffer.from('head'), regions.region(file, 7, 5000), Buffer.from('head'), regions.region(file, 1, 100)]);
  assert.deepEqual([regions.released, target.writer.queuedBytes], [2, 0]);
  assert.deepEqual([target.statistics.copiedBytes, target.statistics.sendfileCalls], [5100, 0]);
  const many = Array.from({ length: 1000 }, (_, index) => regions.region(file, index, 10_000));
  send(target, many);
  await eventually('all arrives', () => target.client.received === 5108 + 1000 * 10_000);
  const expected = ['head', CONTENT.subarray(7, 5007), 'head', CONTENT.subarray(1, 101)].map((part) =>
    Buffer.from(part),
  );
  const others = many.map(({ position }) => CONTENT.subarray(position, position + 10_000));
  assert.ok(target.client.bytes().equals(Buffer.concat([...expected, ...others])));
  assert.deepEqual([regions.released, regions.releasedTwice], [regions.handedOut, 0]);
  await finish(target);
});

test('a small send buffer keeps bytes out of the kernel until the peer takes them', {
  skip: libc === undefined ? 'koffi is not available' : false,
}, async () => {
  const taken: number[] = [];
  for (const bytes of [undefined, 32_768]) {
    const target = await harness(libc);
    target.client.socket.pause();
    if (bytes !== undefined) assert.equal(libc!.setSendBuffer(target.socket.descriptor(), bytes), 0);
    send(target, [new RegionCounter().region(file, 0, CONTENT.length)]);
    await eventually('the kernel takes no more', () => target.statistics.fullSockets > 0);
    taken.push(target.statistics.sendfileBytes);
    await finish(target);
  }
  const [systemSized, small] = taken as [number, number];
  assert.ok(small < systemSized / 4, `${small} bytes were taken with a small buffer, ${systemSized} with the system's`);
  assert.equal(libc!.setSendBuffer(0x7fff, 1), -Errno.EBADF);
});

const strace = spawnSync('strace', ['-V']).status === 0;

test('record bytes move by sendfile alone, as the system calls of a sending process show', {
  skip:
    libc === undefined ? 'koffi is not available' : !strace && 'strace is not installed: system calls were not counted',
}, async () => {
  const length = 20 * 1024 * 1024;
  let received = 0;
  const hash = createHash('sha256');
  const server: Server = createServer((socket: Socket) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      hash.update(chunk);
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = (server.address() as { port: number }).port;
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const script = fileURLToPath(new URL(`./send-file-process.test.support.${extension}`, import.meta.url));
  const traceFile = join(directory, 'trace');
  const child = spawn(
    'strace',
    // biome-ignore format: one option a line says nothing more
    ['-f', '-qq', '-o', traceFile, '-e', 'trace=sendfile,read,readv,pread64,preadv,preadv2,write,writev,pwrite64,sendto,sendmsg',
        process.execPath, script, String(port), file.path, String(length)],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const status = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  await eventually('all arrives', () => received >= length + 4);
  server.close();
  assert.equal(status, 0);
  assert.equal(
    hash.digest('hex'),
    createHash('sha256').update('head').update(CONTENT.subarray(0, length)).digest('hex'),
  );
  const { bySendfile, otherwise } = countTraced(disk.readFile(traceFile).toString('latin1'));
  assert.ok(bySendfile + otherwise >= length, `${bySendfile} + ${otherwise} bytes were traced`);
  assert.ok(otherwise <= length / 1000, `${otherwise} of ${length} bytes were written, ${bySendfile} sent by sendfile`);
});

/** Bytes by sendfile, and bytes that other calls wrote to a socket (pages written to other descriptors are tiny). */
function countTraced(trace: string): { bySendfile: number; otherwise: number } {
  let bySendfile = 0;
  let otherwise = 0;
  for (const line of trace.split('\n')) {
    const call = /^\d+\s+(?:<\.\.\. )?(\w+)[( ].*=\s+(\d+)\s*$/.exec(line);
    if (call === null) continue;
    const count = Number(call[2]);
    if (call[1] === 'sendfile') bySendfile += count;
    else if (['write', 'writev', 'sendto', 'sendmsg'].includes(call[1]!)) otherwise += count;
  }
  return { bySendfile, otherwise };
}

test('only parts with a file are regions', () => {
  assert.equal(isFileRegion(new RegionCounter().region(file, 0, 1)), true);
  assert.equal(isFileRegion(Buffer.alloc(1)), false);
});
