/** Looks at this machine: what a client, or a broker that is started here, would have to do with. */
import { freemem, totalmem } from 'node:os';
import { disk } from '../../base/disk.ts';
import { libc } from '../../base/libc.ts';
import { formatBytes } from '../progress.ts';
import type { Findings } from './findings.ts';

/** A broker holds up to 4096 files of logs open, and a connection each client. */
const FEW_DESCRIPTORS = 8192;
const LITTLE_MEMORY_BYTES = 256 * 2 ** 20;
const LEAST_NODE = [20, 19] as const;

export interface Machine {
  readonly nodeVersion: string;
  readonly platform: string;
  readonly hasLibc: boolean;
  /** The process's soft limit of open files; undefined where it cannot be told. */
  readonly descriptors: number | undefined;
  readonly memory: { readonly free: number; readonly total: number };
}

export function thisMachine(): Machine {
  return {
    nodeVersion: process.versions.node,
    platform: process.platform,
    hasLibc: libc !== undefined,
    descriptors: descriptorLimit(),
    memory: { free: freemem(), total: totalmem() },
  };
}

function descriptorLimit(): number | undefined {
  const path = '/proc/self/limits';
  if (!disk.exists(path)) return undefined;
  const line = /^Max open files\s+(\d+|unlimited)/m.exec(disk.readFile(path).toString());
  if (line === null) return undefined;
  return line[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line[1]);
}

export function checkMachine(machine: Machine, findings: Findings): void {
  const { nodeVersion, platform, hasLibc, descriptors, memory } = machine;
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
    findings.error('node', `Node ${nodeVersion} is too old`, `Install Node ${LEAST_NODE.join('.')} or newer.`);
  } else findings.ok('node', `Node ${nodeVersion}`);
  if (hasLibc) findings.ok('native', 'system calls through koffi: sendfile, durable volumes, locks');
  else if (platform === 'linux') {
    findings.warning(
      'native',
      'koffi is not there: a broker here copies what it sends instead of leaving that to the kernel, and locks less safely',
      'Install with optional dependencies (npm install --include=optional), and unset SLUICE_NO_FFI.',
    );
  } else findings.note('native', `a broker on ${platform} copies what it sends; Linux is where it is fast`, null);
  if (descriptors !== undefined && descriptors < FEW_DESCRIPTORS) {
    findings.warning(
      'descriptors',
      `a process here may open ${descriptors} files: a broker with many partitions or clients would come near that`,
      'Raise the limit: ulimit -n 65536 in a shell, LimitNOFILE=65536 in a unit of systemd.',
    );
  } else if (descriptors !== undefined) findings.ok('descriptors', `a process may open ${descriptors} files`);
  if (memory.free < LITTLE_MEMORY_BYTES) {
    const left = `${formatBytes(memory.free)} of ${formatBytes(memory.total)}`;
    findings.note('memory', `${left} memory is free here`, 'A broker on this machine needs it for the page cache.');
  }
}
