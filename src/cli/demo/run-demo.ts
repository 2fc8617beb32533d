/** Starts a broker and goes through the show; leaves the broker running until it is told to stop. */
import { join } from 'node:path';
import { disk } from '../../base/disk.ts';
import { SluiceError } from '../../base/errors.ts';
import { colours } from '../colours.ts';
import type { DemoOptions } from '../demo.ts';
import { openCluster } from '../open-cluster.ts';
import { printLine } from '../output.ts';
import { packageFile } from '../package-file.ts';
import { formatBytes } from '../progress.ts';
import { type ForegroundBroker, runBroker } from '../run-broker.ts';
import { showGroups } from './show-groups-at-work.ts';
import { makeTopicAnew, PARTITIONS, streamFile, TOPIC } from './stream-file.ts';

/** Logs that machines have; the licence that comes along is the last resort. */
const CANDIDATES = ['/var/log/syslog', '/var/log/dpkg.log', '/var/log/system.log', '/var/log/install.log'];
const LICENSE = packageFile('LICENSE');

/** A worker that is killed shall not hold the show up: sessions may be short here. */
const SETTINGS = ['group.min.session.timeout.ms=1000', 'group.initial.rebalance.delay.ms=500'];

export async function runDemo(chosen: string | undefined, options: DemoOptions): Promise<void> {
  const speed = Number(options.speed);
  if (!(speed > 0)) throw new SluiceError('INVALID_ARGUMENT', `--speed ${options.speed}: give a number above 0`);
  const file = chosen ?? someFile();
  if (chosen !== undefined && disk.sizeOf(chosen) === undefined) {
    throw new SluiceError('FILE_UNREADABLE', `there is no file ${chosen}`);
  }
  const curtain = new AbortController();
  let finished: Promise<void> = Promise.resolve();
  const { broker, addresses, readyLine, stop } = await startBroker({ ...options, set: SETTINGS }, async () => {
    curtain.abort();
    await finished;
  });
  printLine(`${colours.green('●')} ${readyLine}\n`);
  finished = play({ file, addresses, dataDirectory: broker.dataDirectories[0]!, speed, signal: curtain.signal });
  await finished;
  if (curtain.signal.aborted) return;
  if (options.exit) await stop();
  else sayWhatNext(addresses);
}

/** On the usual port, or on a free one where somebody has that and nobody asked for it. */
async function startBroker(options: DemoOptions, before: () => Promise<void>): Promise<ForegroundBroker> {
  try {
    return await runBroker(options, before);
  } catch (error) {
    const isTaken = error instanceof SluiceError && error.code === 'LISTENER_PORT_IN_USE';
    if (!isTaken || options.port !== undefined) throw error;
    return await runBroker({ ...options, port: '0' }, before);
  }
}

interface Play {
  readonly file: string;
  readonly addresses: string;
  readonly dataDirectory: string;
  readonly speed: number;
  readonly signal: AbortSignal;
}

async function play({ file, addresses, dataDirectory, speed, signal }: Play): Promise<void> {
  try {
    await using cluster = await openCluster({ brokers: addresses }, 'sluice-demo');
    await makeTopicAnew(cluster, signal);
    await streamFile(cluster, file, signal);
    showFiles(dataDirectory);
    await showGroups({ addresses, file, speed, signal });
  } catch (error) {
    // Whoever presses Ctrl-C wants no account of what did not come to its end.
    if (!signal.aborted) throw error;
  }
}

function someFile(): string {
  return CANDIDATES.find((path) => (disk.sizeOf(path) ?? 0) > 0) ?? LICENSE;
}

function showFiles(dataDirectory: string): void {
  let bytes = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const directory = join(dataDirectory, `${TOPIC}-${partition}`);
    for (const { name } of disk.list(directory).filter((each) => each.name.endsWith('.log'))) {
      bytes += disk.sizeOf(join(directory, name)) ?? 0;
    }
  }
  const where = join(dataDirectory, `${TOPIC}-0 ... ${PARTITIONS - 1}`);
  printLine(`  ${formatBytes(bytes)} on disk, in Kafka's own format, in ${where}\n`);
}

function sayWhatNext(addresses: string): void {
  printLine(
    `\nThe broker keeps running. Any Kafka client can use ${colours.bold(addresses)}; or, in another terminal:`,
  );
  const brokers = addresses === 'localhost:9092' ? '' : ` -b ${addresses}`;
  for (const command of [
    `npx sluice consume ${TOPIC} --offset -1 --exit --format '%p:%o %v\\n'${brokers}`,
    `npx sluice groups describe --all${brokers}`,
    `npx sluice doctor${brokers}`,
    `kcat -b ${addresses} -t ${TOPIC} -C -o beginning -e`,
  ]) {
    printLine(`  ${colours.cyan(command)}`);
  }
  printLine(colours.dim('Ctrl-C stops it.'));
}
