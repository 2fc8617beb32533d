/**
 * Faults of one broker's storage: a disk that is full, a directory that is gone, a log that lost its tail. Loss meets
 * only a cluster that is whole: two copies are promised to suffice, one is not.
 */
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Random } from '../../../src/base/random.ts';
import type { Broker } from '../harness/broker.ts';
import { type FaultKind, faultOfOne, pick, startAgain } from './fault.ts';

const LONGEST_TORN_TAIL_BYTES = 400;

const diskFull = faultOfOne({
  name: 'disk full',
  weight: 2,
  parts: ['leader'],
  possible: ({ brokers }) => brokers.every(({ place }) => place.disk !== undefined),
  harm: (victim, world) => {
    // Its only disk gone, a broker may end.
    victim.mayEnd = true;
    victim.place.disk!.fill();
    return {
      heal: async () => {
        victim.place.disk!.free();
        await victim.stop();
        victim.mayEnd = false;
        await startAgain(world, victim);
      },
    };
  },
});

function damage(name: string, weight: number, spoil: (broker: Broker, random: Random) => string): FaultKind {
  return faultOfOne({
    name,
    weight,
    parts: ['leader'],
    needsWhole: true,
    harm: async (victim, world) => {
      await victim.kill();
      const how = spoil(victim, world.random);
      return { what: { how }, heal: () => startAgain(world, victim) };
    },
  });
}

/** The active segment of every partition of topics. */
function activeSegments(dataDirectory: string): string[] {
  return readdirSync(dataDirectory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /-\d+$/.test(entry.name) && !entry.name.startsWith('__cluster_metadata'))
    .flatMap(({ name }) => {
      const segments = readdirSync(join(dataDirectory, name)).filter((file) => file.endsWith('.log'));
      return segments.length === 0 ? [] : [join(dataDirectory, name, segments.sort().at(-1)!)];
    });
}

function tearTails({ place }: Broker, random: Random): string {
  for (const file of activeSegments(place.dataDirectory)) {
    const { length } = readFileSync(file);
    truncateSync(file, Math.max(0, length - random.below(LONGEST_TORN_TAIL_BYTES)));
  }
  return 'every active segment lost some bytes';
}

function flipBits({ place }: Broker, random: Random): string {
  for (const file of activeSegments(place.dataDirectory)) {
    const bytes = readFileSync(file);
    if (bytes.length === 0) continue;
    const at = Math.max(0, bytes.length - 1 - random.below(LONGEST_TORN_TAIL_BYTES));
    bytes[at]! ^= 1 << random.below(8);
    writeFileSync(file, bytes);
  }
  return 'a bit near the end of every active segment is another';
}

function spoilIndexes({ place }: Broker, random: Random): string {
  for (const segment of activeSegments(place.dataDirectory)) {
    const base = segment.slice(0, -'.log'.length);
    for (const file of [`${base}.index`, `${base}.timeindex`, `${base}.snapshot`]) {
      if (existsSync(file)) writeFileSync(file, random.bytes(random.below(500)));
    }
  }
  return 'indexes and snapshots of every active segment are garbage';
}

function loseIndexes({ place }: Broker): string {
  for (const segment of activeSegments(place.dataDirectory)) {
    const base = segment.slice(0, -'.log'.length);
    for (const file of [`${base}.index`, `${base}.timeindex`, `${base}.snapshot`]) rmSync(file, { force: true });
  }
  return 'indexes and snapshots of every active segment are missing';
}

/** What is known of all logs, or of one: where they begin, are committed, were synced, and where epochs began. */
function spoilCheckpoints({ place: { dataDirectory } }: Broker, random: Random): string {
  const epochs = activeSegments(dataDirectory).map((segment) => join(dirname(segment), 'leader-epoch-checkpoint'));
  const shared = readdirSync(dataDirectory).filter((name) => name.endsWith('-checkpoint'));
  const file = [...epochs, ...shared.map((name) => join(dataDirectory, name))];
  const chosen = pick(random, file.filter(existsSync));
  if (chosen === undefined) return 'there is no checkpoint yet';
  writeFileSync(chosen, random.bytes(random.below(200)));
  return `${chosen.slice(dataDirectory.length + 1)} is garbage`;
}

function wipe(broker: Broker): string {
  broker.wipe();
  return 'the directory is empty';
}

export const STORAGE_FAULTS: readonly FaultKind[] = [
  diskFull,
  damage('torn tail', 2, tearTails),
  damage('flipped bit', 1, flipBits),
  damage('garbage indexes', 1, spoilIndexes),
  damage('missing indexes', 1, loseIndexes),
  damage('garbage checkpoint', 1, spoilCheckpoints),
  damage('wiped directory', 2, wipe),
];
