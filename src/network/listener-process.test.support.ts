/** Run as a process of its own: echoes frames on a free port, which it prints, until its standard input ends. */
import { systemClock } from '../base/clock.ts';
import { createLogger } from '../base/logger.ts';
import { listen } from './listener.ts';
import { framed } from './loopback.test.support.ts';

const listener = await listen(
  { host: '127.0.0.1', port: 0, handler: (frame) => [framed(frame)] },
  { clock: systemClock, logger: createLogger('error') },
);
console.log(listener.port);
process.stdin.on('end', () => process.exit(0)).resume();
