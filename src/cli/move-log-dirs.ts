/** `sluice cluster move-log-dirs`: replicas of one broker into another of its log directories; shown, or with --execute done. */
import { systemClock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import { type BrokerId, partitionName } from '../base/units.ts';
import { Admin } from '../client/admin/admin.ts';
import type { LogDirectory, ReplicaMove } from '../client/admin/brokers.ts';
import { wholeNumber } from './arguments.ts';
import type { MoveLogDirsOptions } from './cluster.ts';
import { openCluster } from './open-cluster.ts';
import { fail, printJson, printRows, remark } from './output.ts';
import { formatBytes, formatCounted, startProgress } from './progress.ts';
import { topicChoice } from './reset-targets.ts';

const LOOK_MS = 500;

interface PlannedMove extends ReplicaMove {
  readonly from: string;
  readonly bytes: number;
}

export async function moveLogDirectories(broker: string, path: string, options: MoveLogDirsOptions): Promise<void> {
  const id = wholeNumber('broker', broker);
  if (options.topic.length === 0 && options.from === undefined) {
    throw new SluiceError('INVALID_ARGUMENT', 'say what is to move: give --topic, or --from for all of a directory');
  }
  await using cluster = await openCluster(options, 'sluice-cluster');
  const admin = new Admin(cluster);
  const moves = planned(await directoriesOf(admin, id), { broker: id, path, options });
  show(moves, options);
  if (moves.length === 0) remark('nothing needs to move');
  else if (!options.execute) remark('Nothing was changed. Add --execute to do it.');
  if (!options.execute || moves.length === 0) return;
  const outcomes = await admin.moveReplicas(moves);
  for (const outcome of outcomes) if (!outcome.ok) fail(outcome.error);
  const begun = outcomes.filter(({ ok }) => ok);
  if (options.watch) await watch(admin, { broker: id, path, begun });
  else if (begun.length > 0) remark('Replicas are moving. Add --watch to see how far they are.');
}

async function directoriesOf(admin: Admin, broker: BrokerId): Promise<LogDirectory[]> {
  const { brokers } = await admin.describeCluster();
  if (!brokers.some(({ id, fenced }) => id === broker && !fenced)) {
    throw new SluiceError('BROKER_NOT_AVAILABLE', `broker ${broker} is not up`);
  }
  const outcomes = await admin.describeLogDirectories({ brokers: [broker] });
  return outcomes.flatMap((each) => (each.ok ? [each] : []));
}

function planned(
  directories: readonly LogDirectory[],
  { broker, path, options }: { readonly broker: BrokerId; readonly path: string; readonly options: MoveLogDirsOptions },
): PlannedMove[] {
  for (const wanted of [path, ...(options.from === undefined ? [] : [options.from])]) {
    if (directories.some((directory) => directory.path === wanted)) continue;
    throw new SluiceError('LOG_DIR_NOT_FOUND', `broker ${broker} has no directory ${wanted} that it can use`, {
      remedy: `Choose from ${directories.map((directory) => directory.path).join(', ')}; log.dirs tells a broker of more.`,
    });
  }
  const here = directories.flatMap(({ path: from, replicas }) =>
    replicas.filter(({ future }) => !future).map((replica) => ({ ...replica, from })),
  );
  const choices = options.topic.map(topicChoice);
  for (const { topic, partitions } of choices) {
    for (const partition of partitions ?? [undefined]) {
      const isHere = here.some(
        (each) => each.topic === topic && (partition === undefined || each.partition === partition),
      );
      if (isHere) continue;
      const name = partition === undefined ? topic : partitionName(topic, partition);
      throw new SluiceError('REPLICA_NOT_AVAILABLE', `broker ${broker} has no replica of ${name}`);
    }
  }
  const isChosen = ({ topic, partition }: { readonly topic: string; readonly partition: number }): boolean =>
    choices.length === 0 ||
    choices.some((choice) => choice.topic === topic && (choice.partitions?.includes(partition) ?? true));
  return here
    .filter((each) => each.from !== path && each.from === (options.from ?? each.from) && isChosen(each))
    .map(({ topic, partition, from, bytes }) => ({ broker, topic, partition, from, path, bytes }));
}

function show(moves: readonly PlannedMove[], { json }: MoveLogDirsOptions): void {
  const rows = moves.map(({ broker, topic, partition, from, path: to, bytes }) => {
    return { broker, topic, partition, from, to, bytes };
  });
  if (json) printJson(rows);
  else if (rows.length > 0) {
    const columns = ['broker', 'topic', 'partition', 'from', 'to', 'bytes'];
    printRows(
      rows.map((row) => ({ ...row, bytes: formatBytes(row.bytes) })),
      { json: false, columns },
    );
  }
}

async function watch(
  admin: Admin,
  { broker, path, begun }: { readonly broker: BrokerId; readonly path: string; readonly begun: readonly ReplicaMove[] },
): Promise<void> {
  const progress = startProgress(begun.length, systemClock);
  for (;;) {
    const directories = await directoriesOf(admin, broker);
    const replicas = directories.flatMap((directory) => directory.replicas.map((each) => ({ ...each, ...directory })));
    const found = begun.map(({ topic, partition }) =>
      replicas.filter((each) => each.topic === topic && each.partition === partition),
    );
    const moving = found.filter((list) => list.some(({ future }) => future)).length;
    progress.update(begun.length - moving, `${formatCounted(moving, 'replica')} on the way`);
    if (moving > 0) {
      await new Promise<void>((resolve) => systemClock.after(LOOK_MS, resolve, { holdsProcess: true }));
      continue;
    }
    progress.end();
    const arrived = found.filter((list) => list.some((each) => each.path === path)).length;
    if (arrived === begun.length) remark(`${formatCounted(arrived, 'replica')} in ${path}`);
    else {
      const missing = formatCounted(begun.length - arrived, 'replica');
      fail(
        new SluiceError('REPLICA_NOT_MOVED', `${missing} did not arrive in ${path}`, {
          remedy: 'See the log of the broker.',
        }),
      );
    }
    return;
  }
}
