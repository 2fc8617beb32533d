/**
 * The second half of the show: lines keep coming, one group shares them as a queue, two more get all of them each. Workers
 * come, are killed, and a group is rewound.
 */
import { systemClock } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import type { Admin } from '../../client/admin/admin.ts';
import { allOrThrow } from '../../client/admin/outcome.ts';
import { colours } from '../colours.ts';
import { formatCount } from '../progress.ts';
import { GroupReader, LineProducer, linesOf, Tally } from './actors.ts';
import { type GroupSeen, GroupWatch } from './group-watch.ts';
import { Stage } from './stage.ts';
import { PARTITIONS, TOPIC } from './stream-file.ts';

/** One of many workers that share the partitions; everything for each of the other two. */
const QUEUE = 'workers';
const SUBSCRIBERS = ['audit', 'search'] as const;
const LINES_PER_SECOND = 1000;
/** Two of them do not keep up, three do. */
const WORKER_PER_SECOND = 450;
const PATIENCE_MS = 30_000;

export interface ShowOptions {
  readonly addresses: string;
  readonly file: string;
  /** Everything but what the groups themselves take goes so many times faster. */
  readonly speed: number;
  readonly signal: AbortSignal;
}

export async function showGroups(options: ShowOptions): Promise<void> {
  const show = new Show(options, await linesOf(options.file));
  try {
    await show.play();
  } finally {
    await show.end();
  }
}

class Show {
  readonly #options: ShowOptions;
  readonly #stage = new Stage(process.stdout, systemClock);
  readonly #watch: GroupWatch;
  readonly #producer: LineProducer;
  readonly #tallies = new Map([QUEUE, ...SUBSCRIBERS].map((group) => [group, new Tally()] as const));
  readonly #readers = new Set<GroupReader>();
  #failure: unknown;
  #seen: readonly GroupSeen[] = [];

  constructor(options: ShowOptions, lines: readonly Buffer[]) {
    this.#options = options;
    this.#producer = new LineProducer(options.addresses, lines);
    this.#watch = new GroupWatch(options.addresses, [QUEUE, ...SUBSCRIBERS], (groups) => {
      this.#seen = groups;
      const { sent, isRunning } = this.#producer;
      this.#stage.show({ sent, perSecond: isRunning ? LINES_PER_SECOND : 0, groups });
    });
  }

  async play(): Promise<void> {
    await forgetGroups(this.#watch.admin);
    this.#watch.start();
    const [first] = [this.#join(QUEUE, 'worker-1'), this.#join(QUEUE, 'worker-2')];
    for (const group of SUBSCRIBERS) this.#join(group, `${group}-1`);
    this.#tell(`${colours.bold(QUEUE)} is a queue: two workers share the partitions`);
    this.#tell(`${colours.bold(SUBSCRIBERS.join(' and '))} subscribe: each of them gets every line`);
    await this.#until('everybody has partitions', () => this.#isShared());
    this.#producer.start(LINES_PER_SECOND);
    this.#tell(`lines of ${this.#options.file} come in, ${formatCount(LINES_PER_SECOND)} a second`);
    await this.#wait(4);

    this.#tell('two workers are too few: a third one comes');
    this.#join(QUEUE, 'worker-3');
    await this.#until('the third worker has partitions', () => this.#isShared());
    this.#tell('the partitions are shared anew, and the queue gets shorter');
    await this.#wait(5);

    this.#tell(`${colours.red('worker-1 is killed')}: nobody hears of it, its partitions wait for its session to end`);
    await this.#kill(first);
    await this.#until('the others have its partitions', () => this.#isShared());
    this.#tell('its partitions are with the others, who go on where it had committed');
    await this.#wait(3);
    const sent = await this.#finish();
    await this.#rewind(sent);
  }

  /** Everybody reads to the end; what they got is counted. */
  async #finish(): Promise<number> {
    await this.#producer.stop();
    const { sent } = this.#producer;
    this.#tell(`no more lines: ${formatCount(sent)} were sent, and the queue is worked off`);
    await this.#until('the queue is worked off', () =>
      [...this.#tallies.values()].every((tally) => tally.different >= sent),
    );
    for (const [group, tally] of this.#tallies) tally.mustHave(sent, group);
    const queue = this.#tallies.get(QUEUE)!;
    const again = queue.total - queue.different;
    const twice = again === 0 ? 'once' : `once, ${formatCount(again)} twice: the killed worker had not committed those`;
    this.#tell(`${colours.green('✓')} the workers got every line ${twice}`);
    this.#tell(`${colours.green('✓')} ${SUBSCRIBERS.join(' and ')} got every line as well, each for itself`);
    return sent;
  }

  /** As an operator would: stop its readers, move the group, start them again. */
  async #rewind(sent: number): Promise<void> {
    const [group] = SUBSCRIBERS;
    for (const reader of [...this.#readers].filter((each) => each.group === group)) await this.#leave(reader);
    const moved = await this.#watch.admin.listOffsets(
      Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: TOPIC, partition, at: 'earliest' as const })),
    );
    allOrThrow(await this.#watch.admin.commitGroupOffsets(group, moved));
    this.#tell(`${colours.bold(group)} is rewound to the first line of all, from before this began`);
    await this.#wait(2);
    const total = (
      await this.#watch.admin.listOffsets(
        Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: TOPIC, partition, at: 'latest' as const })),
      )
    ).reduce((sum, { offset }, index) => sum + offset - moved[index]!.offset, 0);
    const tally = new Tally();
    this.#tallies.set(group, tally);
    const startedMs = systemClock.monotonicMs();
    this.#join(group, `${group}-1`);
    await this.#until('it has read everything again', () => tally.different >= total);
    tally.mustHave(total, group);
    const seconds = ((systemClock.monotonicMs() - startedMs) / 1000).toFixed(1);
    const before = formatCount(total - sent);
    this.#tell(
      `${colours.green('✓')} it read all ${formatCount(total)} lines again in ${seconds} s, ${before} of them older than its membership`,
    );
    await this.#wait(1);
  }

  #join(group: string, name: string): GroupReader {
    const tally = (): Tally => this.#tallies.get(group)!;
    const reader = new GroupReader({
      ...{ addresses: this.#options.addresses, group, name },
      perSecond: group === QUEUE ? WORKER_PER_SECOND : Number.POSITIVE_INFINITY,
      onRecord: (record) => tally().add(record),
      onFailure: (error) => {
        this.#failure ??= error;
      },
    });
    this.#readers.add(reader);
    return reader;
  }

  async #leave(reader: GroupReader): Promise<void> {
    this.#readers.delete(reader);
    await reader.leave();
  }

  async #kill(reader: GroupReader): Promise<void> {
    this.#readers.delete(reader);
    await reader.kill();
  }

  /** Whether every group has its readers, and every reader a fair share. */
  #isShared(): boolean {
    const counts = new Map<string, number[]>();
    for (const { group, partitions } of this.#readers) counts.set(group, [...(counts.get(group) ?? []), partitions]);
    const isFair = [...counts.values()].every((shares) =>
      shares.every((share) => share === PARTITIONS / shares.length),
    );
    const names = new Set([...this.#readers].map(({ name }) => name));
    const isSeen = this.#seen.every(({ partitions }) =>
      partitions.every(({ owner }) => owner !== undefined && names.has(owner)),
    );
    return isFair && isSeen && this.#seen.length > 0;
  }

  #tell(event: string): void {
    this.#stage.tell(event);
  }

  /** So many seconds at the usual speed. */
  async #wait(seconds: number): Promise<void> {
    const untilMs = systemClock.monotonicMs() + (seconds * 1000) / this.#options.speed;
    await this.#until('', () => systemClock.monotonicMs() >= untilMs);
  }

  /** Rejects when something failed, when it takes too long, and when the audience has left. */
  async #until(what: string, isSo: () => boolean): Promise<void> {
    const deadlineMs = systemClock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      this.#options.signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      if (isSo()) return;
      if (systemClock.monotonicMs() > deadlineMs) {
        throw new SluiceError('DEMO_FAILED', `after ${PATIENCE_MS / 1000} s it is not so that ${what}`);
      }
      await new Promise<void>((resolve) => systemClock.after(50, resolve, { holdsProcess: true }));
    }
  }

  async end(): Promise<void> {
    // The last picture is the end of the story, not how everybody goes home.
    await this.#watch.stop();
    this.#stage.end();
    await this.#producer.stop().catch(() => undefined);
    await Promise.all([...this.#readers].map((reader) => reader.leave().catch(() => undefined)));
  }
}

/** Of an earlier show. */
async function forgetGroups(admin: Admin): Promise<void> {
  const groups = [QUEUE, ...SUBSCRIBERS];
  const known = new Set((await admin.listGroups()).map(({ id }) => id));
  const left = groups.filter((group) => known.has(group));
  if (left.length > 0) allOrThrow(await admin.deleteGroups(left));
}
