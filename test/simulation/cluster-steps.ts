/**
 * What is done to a simulated cluster: requests of operators and faults, each from a seed of its own, so that a history can
 * be replayed and made shorter. Every fault ends by itself after a while. Promises of the cluster bound the faults: at most
 * one broker loses what it had not synced, until it has caught up again.
 */
import { messageOf, SluiceError } from '../../src/base/errors.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { alterPartitionReassignments } from '../../src/protocol/apis/alter-partition-reassignments.ts';
import { electLeaders } from '../../src/protocol/apis/elect-leaders.ts';
import { type ClusterRun, ENSEMBLE_SERVERS } from './cluster-run.ts';

export interface ClusterStep {
  readonly kind: StepKind;
  readonly seed: number;
}

type Action = (run: ClusterRun, random: Random) => string | undefined;

/** Between two steps. */
const LONGEST_PAUSE_MS = 400;
const LONGEST_DOWN_MS = 6000;
const LONGEST_FAULT_MS = 7000;
const TOPIC_PARTITIONS = 2;
const HOUR_MS = 3_600_000;
/** After it a follower that does not fetch counts as lagging; a leader without its controller is fenced not long after. */
const LAG_MS = 1550;
const HIDING_MS = LAG_MS + 1200;
const MOST_EXTRA_TOPICS = 4;

const ACTIONS = {
  produce: (run) => {
    run.workload.produce();
    return undefined;
  },
  wait: () => undefined,
  commit: (run) => {
    run.workload.commits.commit(run.workload.topics[0]!.name);
    return undefined;
  },
  createTopic: (run, random) => {
    if (run.extraTopics.length >= MOST_EXTRA_TOPICS) return undefined;
    const name = `x${random.below(1000)}`;
    run.extraTopics.push(name);
    run.ask(`create ${name}`, () => run.admin.createTopics([{ name, partitions: TOPIC_PARTITIONS }]));
    return `create topic ${name}`;
  },
  deleteTopic: (run, random) => {
    if (run.extraTopics.length === 0) return undefined;
    const [name] = run.extraTopics.splice(random.below(run.extraTopics.length), 1);
    run.ask(`delete ${name}`, () => run.admin.deleteTopics([name!]));
    return `delete topic ${name}`;
  },
  recreateTopic: (run, random) => {
    const name = run.extraTopics[random.below(run.extraTopics.length)];
    if (name === undefined) return undefined;
    run.ask(`recreate ${name}`, async () => {
      await run.admin.deleteTopics([name]);
      return run.admin.createTopics([{ name, partitions: TOPIC_PARTITIONS }]);
    });
    return `recreate topic ${name}`;
  },
  growTopic: (run, random) => {
    const topic = run.workload.topics[random.below(run.workload.topics.length)]!;
    if (topic.partitions >= 5) return undefined;
    const count = topic.partitions + 1;
    run.ask(`grow ${topic.name}`, () => run.admin.createPartitions([{ name: topic.name, count }]));
    return `grow ${topic.name} to ${count}`;
  },
  reassign: (run, random) => {
    const topic = run.workload.topics[random.below(run.workload.topics.length)]!;
    const partitionIndex = random.below(topic.partitions);
    const ids = shuffled(
      run.world.hosts.map(({ brokerId }) => brokerId),
      random,
    ).slice(0, 3);
    const replicas = random.below(5) === 0 ? null : ids;
    const topics = [{ name: topic.name, partitions: [{ partitionIndex, replicas }] }];
    run.ask('reassign', () =>
      run.operator.call('controller', alterPartitionReassignments, { timeoutMs: 3000, topics }),
    );
    return `reassign ${topic.name}-${partitionIndex} to ${replicas ?? 'what it was'}`;
  },
  electPreferred: (run) => {
    const body = { electionType: 0, topicPartitions: null, timeoutMs: 3000 };
    run.ask('elect', () => run.operator.call('controller', electLeaders, body));
    return 'elect preferred leaders';
  },
  kill: (run, random) => {
    const host = run.pick(random, (each) => each.isUp);
    if (host === undefined || !run.mayKill(host)) return undefined;
    host.kill();
    run.restartLater(host, downMs(random));
    return `kill ${host.name}`;
  },
  killAll: (run, random) => {
    if (random.below(3) > 0 || run.world.hosts.some((host) => !run.mayKill(host))) return undefined;
    for (const host of run.world.hosts) {
      host.kill();
      run.restartLater(host, downMs(random));
    }
    return 'kill all';
  },
  losePower: (run, random) => {
    const host = run.pick(random, (each) => each.isUp);
    if (host === undefined || !run.mayLose(host)) return undefined;
    host.losePower();
    run.restartLater(host, downMs(random));
    return `${host.name} loses power`;
  },
  losePowerWhileWriting: (run, random) => {
    const host = run.pick(random, (each) => each.serves);
    if (host === undefined || !run.mayLose(host)) return undefined;
    host.losePowerWithin(1 + random.below(40));
    run.later(LONGEST_PAUSE_MS / 2, () => host.keepPower());
    return `${host.name} is about to lose power`;
  },
  stop: (run, random) => {
    const host = run.pick(random, (each) => each.serves && !each.isPaused);
    if (host === undefined || !run.mayKill(host)) return undefined;
    host.stop();
    return `stop ${host.name}`;
  },
  pause: (run, random) => {
    const host = run.pick(random, (each) => each.isUp && !each.isPaused);
    if (host === undefined) return undefined;
    host.pause();
    const forMs = faultMs(random);
    run.later(forMs, () => host.resume());
    return `pause ${host.name} for ${forMs} ms`;
  },
  isolate: (run, random) => {
    const host = run.pick(random, () => true)!;
    for (const other of run.othersOf(host)) {
      run.block(host.name, other, faultMs(random));
      run.block(other, host.name, faultMs(random));
    }
    // Not always from ZooKeeper too: then it is the others who must not believe it.
    if (random.below(2) === 0) cutFromEnsemble(run, random, host.name);
    return `isolate ${host.name}`;
  },
  isolateController: (run, random) => {
    const name = run.controllerName;
    if (name === undefined) return undefined;
    const forMs = LONGEST_FAULT_MS + faultMs(random);
    for (const other of run.othersOf(run.world.hosts.find((host) => host.name === name)!)) {
      if (random.below(4) > 0) run.block(name, other, forMs);
      if (random.below(4) > 0) run.block(other, name, forMs);
    }
    return `isolate ${name}, the controller, for ${forMs} ms`;
  },
  cutPair: (run, random) => {
    const [one, other] = shuffled([...run.world.hosts], random);
    run.block(one!.name, other!.name, faultMs(random));
    run.block(other!.name, one!.name, faultMs(random));
    return `cut ${one!.name} from ${other!.name}`;
  },
  cutOneWay: (run, random) => {
    const [one, other] = shuffled([...run.world.hosts], random);
    run.block(one!.name, other!.name, faultMs(random));
    return `cut the way from ${one!.name} to ${other!.name}`;
  },
  slow: (run, random) => {
    const host = run.pick(random, () => true)!;
    const extraMs = 5 + random.below(random.below(3) === 0 ? 800 : 60);
    for (const other of run.othersOf(host)) {
      run.world.network.slow(host.name, other, extraMs);
      run.later(faultMs(random), () => run.world.network.slow(host.name, other, 0));
    }
    return `slow ${host.name} by ${extraMs} ms`;
  },
  reset: (run, random) => {
    const host = run.pick(random, (each) => each.isUp);
    if (host === undefined || !run.world.network.resetOne(host.name)) return undefined;
    return `reset a connection of ${host.name}`;
  },
  killLeaderOfNewMember: (run, random) => {
    const afterMs = random.below(3) === 0 ? 0 : random.below(20);
    run.lieInWait(({ leader }) => {
      run.later(afterMs, () => {
        const host = run.world.host(leader);
        if (!host.isUp || !run.mayKill(host)) return;
        run.world.trace.note('--', `kill ${host.name}, which has just got a new in-sync replica`);
        host.kill();
        run.restartLater(host, downMs(random));
      });
    });
    return undefined;
  },
  hideNewMember: (run, random) => {
    run.lieInWait(({ topic, partition, leader, member }) => {
      const host = run.world.host(leader);
      const controller = run.controllerName;
      if (controller === undefined || controller === host.name) return;
      run.world.trace.note('--', `${host.name} does not hear that b${member} is in sync with it`);
      const forMs = HIDING_MS + faultMs(random);
      run.block(controller, host.name, forMs);
      run.block(host.name, `b${member}`, forMs);
      for (let index = 0; index < 3; index++)
        run.later(LAG_MS + 300 * index, () => run.workload.produceTo(topic, partition));
      run.later(HIDING_MS, () => {
        if (!host.isUp || !run.mayKill(host)) return;
        run.world.trace.note('--', `kill ${host.name}, which never heard of it`);
        host.kill();
        run.restartLater(host, LONGEST_DOWN_MS);
      });
    });
    return undefined;
  },
  breakDisk: (run, random) => {
    const host = run.pick(random, (each) => each.serves && !run.isFull(each));
    if (host === undefined || !run.mayLose(host)) return undefined;
    run.lossy = host;
    run.breakDisk(host, 100 + faultMs(random));
    return `the disk of ${host.name} breaks`;
  },
  loseDisk: (run, random) => {
    const host = run.pick(random, (each) => each.serves && !run.isFull(each));
    // The metadata of a local quorum are on one disk only.
    const isOnlyQuorum = run.world.ensemble === undefined && host?.name === run.controllerName;
    if (host === undefined || isOnlyQuorum || !run.mayLose(host)) return undefined;
    host.loseDisk();
    run.restartLater(host, downMs(random));
    return `${host.name} loses its disk`;
  },
  jumpClock: (run, random) => {
    const host = run.pick(random, () => true)!;
    host.wallAheadMs = (random.below(3) - 1) * HOUR_MS;
    return `the clock of ${host.name} is ${host.wallAheadMs / HOUR_MS} h ahead`;
  },
  cutFromEnsemble: (run, random) => {
    const host = run.pick(random, () => true)!;
    if (!cutFromEnsemble(run, random, host.name)) return undefined;
    return `cut ${host.name} from ZooKeeper`;
  },
  loseEnsembleConnection: (run, random) => {
    const host = run.pick(random, (each) => each.isUp);
    if (run.world.ensemble === undefined || host === undefined) return undefined;
    run.world.ensemble.dropConnections(host.name);
    return `${host.name} loses its connection to ZooKeeper`;
  },
  expireSession: (run, random) => {
    const host = run.pick(random, (each) => each.isUp);
    if (run.world.ensemble === undefined || host === undefined) return undefined;
    run.world.ensemble.expireSessions(host.name);
    return `the session of ${host.name} expires`;
  },
  hitEnsemble: (run, random) => {
    const { ensemble } = run.world;
    if (ensemble === undefined) return undefined;
    // One server of three is a nuisance, two are the quorum.
    const servers = shuffled(ENSEMBLE_SERVERS, random).slice(0, 1 + random.below(2));
    const hangs = random.below(2) === 0;
    for (const server of servers) {
      if (hangs) ensemble.hangServer(server);
      else ensemble.killServer(server);
      run.later(faultMs(random), () => (hangs ? ensemble.resumeServer(server) : ensemble.startServer(server)));
    }
    return `ZooKeeper servers ${servers} ${hangs ? 'hang' : 'die'}`;
  },
  fillDisk: (run, random) => {
    const host = run.pick(random, (each) => each.isUp && !run.isFull(each));
    if (host === undefined || !run.mayKill(host)) return undefined;
    run.fill(host, random.below(3000), faultMs(random));
    return `fill the disk of ${host.name}`;
  },
} satisfies Record<string, Action>;

export type StepKind = keyof typeof ACTIONS;

/** How often each comes up, of all together. */
const WEIGHTS: Readonly<Record<StepKind, number>> = {
  produce: 60,
  wait: 8,
  commit: 8,
  createTopic: 2,
  deleteTopic: 1,
  recreateTopic: 1,
  growTopic: 1,
  reassign: 2,
  electPreferred: 1,
  kill: 4,
  killAll: 1,
  losePower: 3,
  losePowerWhileWriting: 2,
  stop: 2,
  pause: 3,
  isolate: 3,
  isolateController: 2,
  cutPair: 3,
  cutOneWay: 3,
  slow: 3,
  reset: 3,
  killLeaderOfNewMember: 3,
  hideNewMember: 3,
  cutFromEnsemble: 3,
  loseEnsembleConnection: 3,
  expireSession: 3,
  hitEnsemble: 2,
  fillDisk: 2,
  breakDisk: 1,
  loseDisk: 1,
  jumpClock: 1,
};

const QUIET: ReadonlySet<StepKind> = new Set(['produce', 'wait', 'commit']);

const DECK: readonly StepKind[] = Object.entries(WEIGHTS).flatMap(([kind, weight]) =>
  Array.from({ length: weight }, () => kind as StepKind),
);

/** `deck` has each kind as often as it shall come up; where left out, everything does. */
export function randomClusterStep(random: Random, deck: readonly StepKind[] = DECK): ClusterStep {
  return { kind: deck[random.below(deck.length)]!, seed: random.below(2 ** 31) };
}

/** Whether a step of this kind is a fault or a request of an operator. */
export function isFault(kind: StepKind): boolean {
  return !QUIET.has(kind);
}

/** Takes a step, and lets some time pass. Says what was done, where that is worth a line. */
export async function takeClusterStep(run: ClusterRun, { kind, seed }: ClusterStep): Promise<void> {
  const random = seededRandom(seed);
  const done = (ACTIONS as Readonly<Record<StepKind, Action>>)[kind](run, random);
  if (done !== undefined) {
    run.world.trace.note('--', done);
    run.faults++;
  }
  await run.world.runFor(random.fraction() ** 2 * LONGEST_PAUSE_MS);
}

/** False where there is none. */
function cutFromEnsemble(run: ClusterRun, random: Random, host: string): boolean {
  const { ensemble } = run.world;
  if (ensemble === undefined) return false;
  ensemble.cut(host);
  run.later(faultMs(random), () => ensemble.heal(host));
  return true;
}

function downMs(random: Random): number {
  return 50 + Math.floor(random.fraction() ** 2 * LONGEST_DOWN_MS);
}

function faultMs(random: Random): number {
  return 50 + Math.floor(random.fraction() ** 2 * LONGEST_FAULT_MS);
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  return items
    .map((item) => ({ item, order: random.fraction() }))
    .sort((left, right) => left.order - right.order)
    .map(({ item }) => item);
}

/** What an operator's request came to: refusals and failures are part of life. */
export function outcomeText(error: unknown): string {
  if (!(error instanceof SluiceError)) throw error;
  return messageOf(error);
}
