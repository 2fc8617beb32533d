/** How the servers of an ensemble are, asked one by one with the four-letter command `srvr`. */
import type { Clock } from '../../../base/clock.ts';
import { messageOf } from '../../../base/errors.ts';
import type { Transport } from '../../../network/transport.ts';
import { parseConnectString, type ServerAddress } from './client/connect-string.ts';

export interface ServerHealth {
  readonly host: string;
  readonly port: number;
  /**
   * `serving`: member of a quorum. `silent`: it accepts connections and tells nothing, because four-letter commands are not
   * allowed (4lw.commands.whitelist) or it hangs. `no-quorum`: it runs, and does not serve. `unreachable`.
   */
  readonly state: 'serving' | 'silent' | 'no-quorum' | 'unreachable';
  /** leader, follower, observer or standalone, where it tells. */
  readonly mode: string | undefined;
  readonly version: string | undefined;
  readonly connections: number | undefined;
  readonly outstandingRequests: number | undefined;
  /** Of this question and answer. */
  readonly latencyMs: number;
  /** Why it is unreachable. */
  readonly reason: string | undefined;
}

const TIMEOUT_MS = 2000;
const MOST_ANSWER_BYTES = 65_536;

/** Never rejects for a server that is not there; throws SluiceError INVALID_CONFIG for a connect string that is none. */
export function probeEnsemble(
  connect: string,
  dependencies: { readonly transport: Transport; readonly clock: Clock; readonly timeoutMs?: number },
): Promise<ServerHealth[]> {
  return Promise.all(parseConnectString(connect).servers.map((server) => probeServer(server, dependencies)));
}

function probeServer(
  server: ServerAddress,
  { transport, clock, timeoutMs = TIMEOUT_MS }: Parameters<typeof probeEnsemble>[1],
): Promise<ServerHealth> {
  const startedMs = clock.monotonicMs();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let connected = false;
    let ended = false;
    const finish = (reason?: string): void => {
      if (ended) return;
      ended = true;
      timer.cancel();
      socket.destroy();
      const latencyMs = clock.monotonicMs() - startedMs;
      resolve({ ...server, ...healthOf(Buffer.concat(chunks).toString(), connected), latencyMs, reason });
    };
    const timer = clock.after(timeoutMs, () => finish(`no answer within ${timeoutMs} ms`), { holdsProcess: true });
    const socket = transport.connect(server, {
      onConnect: () => {
        connected = true;
        socket.write(Buffer.from('srvr'));
      },
      onData: (chunk) => {
        chunks.push(Buffer.from(chunk));
        bytes += chunk.length;
        if (bytes > MOST_ANSWER_BYTES) finish();
      },
      onEnd: () => finish(),
      onDrain: () => undefined,
      onClose: (error) => finish(error === undefined ? undefined : messageOf(error)),
    });
  });
}

type Told = Pick<ServerHealth, 'state' | 'mode' | 'version' | 'connections' | 'outstandingRequests'>;

function healthOf(answer: string, connected: boolean): Told {
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(answer)?.[1]?.trim();
  const number = (name: string): number | undefined => {
    const text = field(name);
    return text === undefined ? undefined : Number(text);
  };
  const mode = field('Mode');
  let state: ServerHealth['state'] = connected ? 'silent' : 'unreachable';
  if (mode !== undefined) state = 'serving';
  else if (answer.includes('not currently serving requests')) state = 'no-quorum';
  return {
    state,
    mode,
    version: field('Zookeeper version')?.split(/[-,]/)[0],
    connections: number('Connections'),
    outstandingRequests: number('Outstanding'),
  };
}
