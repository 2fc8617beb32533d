/** Faults of the machine below one broker: a disk that fails or is slow, a clock that jumps. */
import type { Cluster } from '../harness/cluster.ts';
import type { MachineFault } from '../harness/faulty-machine.ts';
import { type FaultKind, faultOfOne, startAgain } from './fault.ts';

const HOUR_SECONDS = 3600;
const SLOWEST_MS = 150;

const breakable = ({ brokers }: Cluster): boolean => brokers.every(({ place }) => place.machine !== undefined);

/** Its only directory failed, a broker ends; what it does in between is its own business, as long as it is true. */
function failingDisk(disk: NonNullable<MachineFault['disk']>): FaultKind {
  return faultOfOne({
    name: `disk: ${disk}`,
    weight: 1,
    parts: ['leader', 'follower', 'controller'],
    possible: breakable,
    harm: (victim, world) => {
      victim.mayEnd = true;
      victim.place.machine!.break({ disk });
      return {
        heal: async () => {
          victim.place.machine!.break({});
          await victim.stop();
          victim.mayEnd = false;
          await startAgain(world, victim);
        },
      };
    },
  });
}

/** Nothing of it is an error: a broker goes on, or others do in its place. */
function annoyance(name: string, weight: number, fault: (below: (bound: number) => number) => MachineFault): FaultKind {
  return faultOfOne({
    name,
    weight,
    parts: ['leader', 'follower', 'controller'],
    possible: breakable,
    harm: ({ place: { machine } }, { random }) => {
      const what = fault((bound) => random.below(bound));
      machine!.break(what);
      return { what: { ...what }, heal: () => machine!.break({}) };
    },
  });
}

export const MACHINE_FAULTS: readonly FaultKind[] = [
  failingDisk('write fails'),
  failingDisk('sync fails'),
  annoyance('disk: short writes', 1, () => ({ disk: 'short writes' })),
  annoyance('disk: slow', 2, (below) => ({ disk: 'slow', delayMs: 5 + below(SLOWEST_MS) })),
  annoyance('clock jump', 2, (below) => ({ clockAheadSeconds: below(2) === 0 ? HOUR_SECONDS : -HOUR_SECONDS })),
];
