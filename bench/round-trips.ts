/**
 * Small requests through the listener, one at a time on each connection, from clients in another process.
 * Run: node dist/bench/round-trips.js [seconds]
 */
import { fork } from 'node:child_process';
import { connect } from 'node:net';
import { systemClock } from '../src/base/clock.ts';
import { silentLogger } from '../src/base/logger.ts';
import { listen } from '../src/network/listener.ts';

const REQUEST_BYTES = 100;

/** The asking process: on every reply the next request. Reports the number of round trips. */
function ask(port: number, connections: number, depth: number, seconds: number): void {
  const request = Buffer.alloc(4 + REQUEST_BYTES);
  request.writeInt32BE(REQUEST_BYTES);
  let replies = 0;
  for (let index = 0; index < connections; index++) {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => {
      for (let ahead = 0; ahead < depth; ahead++) socket.write(request);
    });
    let partial = 0;
    socket.on('data', (bytes: Buffer) => {
      partial += bytes.length;
      const whole = Math.floor(partial / request.length);
      partial -= whole * request.length;
      replies += whole;
      if (whole > 0) socket.write(whole === 1 ? request : Buffer.concat(Array.from({ length: whole }, () => request)));
    });
  }
  let warm = 0;
  const warmUpMs = 500;
  systemClock.after(warmUpMs, () => {
    warm = replies;
  });
  systemClock.after(warmUpMs + seconds * 1000, () => {
    process.send?.(replies - warm, () => process.exit(0));
  });
}

async function main(): Promise<void> {
  const seconds = Number(process.argv[2] ?? 2);
  for (const how of ['sync', 'async'] as const) {
    const listener = await listen(
      {
        host: '127.0.0.1',
        port: 0,
        handler: (frame) => {
          const head = Buffer.allocUnsafe(4);
          head.writeInt32BE(frame.length);
          const reply = [head, frame];
          return how === 'sync' ? reply : Promise.resolve(reply);
        },
      },
      { clock: systemClock, logger: silentLogger },
    );
    for (const [connections, depth] of [
      [1, 1],
      [50, 1],
      [1, 32],
    ] as const) {
      const before = process.cpuUsage();
      const asker = fork(process.argv[1]!, ['ask', listener.port, connections, depth, seconds].map(String));
      const trips = await new Promise<number>((resolve) => asker.once('message', (count) => resolve(Number(count))));
      const used = process.cpuUsage(before);
      const perTrip = (used.user + used.system) / (trips * (1 + 0.5 / seconds));
      const line = `${how.padEnd(5)} ${String(connections).padStart(2)} connections, ${String(depth).padStart(2)} in flight`;
      console.log(`${line}: ${Math.round(trips / seconds)} round trips/s, ${perTrip.toFixed(1)} µs of our CPU each`);
    }
    await listener.close({ graceMs: 100 });
  }
}

if (process.argv[2] === 'ask') {
  const [port, connections, depth, seconds] = process.argv.slice(3).map(Number);
  ask(port!, connections!, depth!, seconds!);
} else await main();
