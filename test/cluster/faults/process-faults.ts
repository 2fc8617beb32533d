/** Faults of processes: killed, asked to end, held. */
import type { Broker } from '../harness/broker.ts';
import {
  afflict,
  everywhere,
  type FaultKind,
  type FaultWorld,
  faultOfOne,
  type Injected,
  nowhere,
  type Part,
  pause,
  soundBrokers,
  startAgain,
} from './fault.ts';

const LONGEST_STAGGER_MS = 3000;

async function killed(world: FaultWorld, victims: readonly Broker[]): Promise<Injected> {
  const recoveries = victims.map((victim) => afflict(world, victim));
  await Promise.all(victims.map((victim) => victim.kill()));
  return {
    what: { brokers: victims.map(({ id }) => id) },
    heal: async () => {
      for (const victim of victims) {
        await startAgain(world, victim);
        await pause(victims.length > 1 ? world.random.below(LONGEST_STAGGER_MS / victims.length) : 0);
      }
      for (const recovered of recoveries) recovered();
    },
  };
}

function kill(part: Part, weight: number): FaultKind {
  return faultOfOne({
    name: `kill -9 ${part}`,
    weight,
    parts: [part],
    harm: async (victim, world) => {
      await victim.kill();
      return { heal: () => startAgain(world, victim) };
    },
  });
}

const killAll: FaultKind = {
  name: 'kill -9 all',
  weight: 2,
  tolerable: nowhere,
  possible: everywhere,
  inject: async (world) => {
    const victims = world.cluster.brokers.filter(({ id, running }) => running && !world.spared.has(id));
    return victims.length === 0 ? undefined : killed(world, victims);
  },
};

const killTwo: FaultKind = {
  name: 'kill -9 two',
  weight: 2,
  tolerable: nowhere,
  possible: everywhere,
  inject: async (world) => {
    const sound = soundBrokers(world);
    if (sound.length < 2) return undefined;
    const first = sound[world.random.below(sound.length)]!;
    const others = sound.filter((broker) => broker !== first);
    return killed(world, [first, others[world.random.below(others.length)]!]);
  },
};

function terminate(part: Part, weight: number): FaultKind {
  return faultOfOne({
    name: `SIGTERM ${part}`,
    weight,
    parts: [part],
    harm: (victim, world) => {
      // It may wait for others that are about to be healed.
      const stopping = victim.stop();
      return {
        heal: async () => {
          await stopping;
          await startAgain(world, victim);
        },
      };
    },
  });
}

function hold(part: Part, weight: number): FaultKind {
  return faultOfOne({
    name: `SIGSTOP ${part}`,
    weight,
    parts: [part],
    harm: (victim) => {
      victim.hold();
      return { heal: () => victim.resume() };
    },
  });
}

export const PROCESS_FAULTS: readonly FaultKind[] = [
  kill('leader', 4),
  kill('follower', 2),
  kill('controller', 3),
  kill('coordinator', 2),
  killTwo,
  killAll,
  terminate('leader', 2),
  terminate('controller', 1),
  hold('leader', 3),
  hold('follower', 2),
  hold('controller', 2),
];
