/**
 * A private world for a run: namespaces of its own for network, mounts and processes, in which whoever is root (or may
 * make user namespaces) builds bridges, cuts links and mounts small disks without touching the machine. When its first
 * process ends, however it ends, the kernel ends all others in it and everything that was made goes with them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';

/** Set inside. */
const MARK = 'SLUICE_CLUSTER_SANDBOX';
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
/** Names of network namespaces are kept on a mount of their own, so that they end with this world. */
const PREPARE = [
  'ip link set lo up',
  'mkdir -p /run/netns 2>/dev/null || mount -t tmpfs none /run',
  'mkdir -p /run/netns',
  'mount -t tmpfs none /run/netns',
].join(' && ');
const PROBE = `${PREPARE} && ip netns add probe && ip link add name probe0 type bridge`;
/** A shell as first process: it collects what orphans leave behind. */
const RUN = `${PREPARE} && { "$@" & wait $!; }`;

export function insideSandbox(): boolean {
  return process.env[MARK] !== undefined;
}

let found: readonly string[] | undefined | 'unknown' = 'unknown';

/** What a command must begin with to run in a private world; undefined where this machine does not permit one. */
export function sandboxPrefix(): readonly string[] | undefined {
  if (found !== 'unknown') return found;
  const ways = [
    ['unshare', ...NAMESPACES],
    ['unshare', '--user', '--map-root-user', ...NAMESPACES],
  ];
  const way = ways.find(([command, ...parameters]) => {
    return spawnSync(command!, [...parameters, 'sh', '-c', PROBE], { stdio: 'ignore', timeout: 10_000 }).status === 0;
  });
  found = way && ['env', `${MARK}=1`, ...way, 'sh', '-c', RUN, 'sandbox'];
  return found;
}

/** Runs a command in a private world where there can be one, else as it is. Resolves as `runCommand`. */
export function runInSandbox(command: readonly string[], options: { readonly cwd?: string } = {}): Promise<number> {
  const prefix = insideSandbox() ? [] : (sandboxPrefix() ?? []);
  return runCommand([...prefix, ...command], options);
}

/** Resolves to the exit code of a command on this process's own input and output; signals to this process go to it. */
export function runCommand(command: readonly string[], options: { readonly cwd?: string } = {}): Promise<number> {
  const [program, ...parameters] = command;
  const child = spawn(program!, parameters, { stdio: 'inherit', ...options });
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      resolve(code ?? 128 + constants.signals[signal!]);
    });
  });
}
