/**
 * What a broker under test looks like from outside, whichever it is: a process, a port and a data directory. Waits
 * for readiness by the protocol itself (an ApiVersions request answered), never by log lines.
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';

export interface RunningBroker {
  readonly name: 'sluice' | 'kafka';
  readonly child: ChildProcess;
  readonly host: string;
  readonly port: number;
  /** host:port */
  readonly bootstrap: string;
  readonly dataDirectory: string;
  /** performance.now() just before the process was started. */
  readonly startedAt: number;
  /** Everything that it wrote to stdout and stderr so far. */
  output(): string;
  /** Ends the process; the data directory stays. */
  stop(): Promise<void>;
  /** Ends the process and removes its temporary directory. */
  remove(): Promise<void>;
}

const POLL_MS = 20;
const PROBE_TIMEOUT_MS = 2000;

/** 16 random bytes in Kafka's own base64 form; never with a leading '-', which its tools take for a flag. */
export function randomClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

/** Distinct ports of the loopback interface that nobody listens on now. */
export async function unusedPorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<Server>((resolve, reject) => {
          const server = createServer();
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export interface Readiness {
  readonly child: ChildProcess;
  readonly port: number;
  readonly timeoutMs: number;
}

/** Rejects when the process ends first or the time is over. */
export async function waitUntilServing({ child, port, timeoutMs }: Readiness): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await answersApiVersions(port))) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the broker ended with ${child.exitCode ?? child.signalCode} before it served`);
    }
    if (performance.now() > deadline) throw new Error(`the broker did not serve within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** ApiVersions version 0, correlation id 7, a null client id. */
const API_VERSIONS_REQUEST = Buffer.from('0000000a0012000000000007ffff', 'hex');

function answersApiVersions(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const finish = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
    socket.once('connect', () => socket.write(API_VERSIONS_REQUEST));
    socket.once('data', (bytes: Buffer) => finish(bytes.length >= 10 && bytes.readInt32BE(4) === 7));
  });
}
