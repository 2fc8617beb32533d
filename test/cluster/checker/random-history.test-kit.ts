/**
 * Valid histories made up from a seed: producers, some in transactions, readers, a group, a fresh reader, leaders and
 * replicas over logs that are kept in memory. Completions come late, some never; lines are written in any order between
 * processes.
 */
import { type Random, seededRandom } from '../../../src/base/random.ts';
import type { HistoryLine, OperationLine, Send } from './history.ts';

export interface HistoryShape {
  readonly seed: number;
  readonly steps: number;
  readonly partitions?: number;
}

interface Entry {
  readonly value: number;
  /** Undefined while its transaction is open; false where it was aborted. */
  visible: boolean | undefined;
}

interface OpenSend {
  readonly partition: number;
  readonly value: number;
  written: boolean;
  outcome: { offset: number | null } | undefined;
}

class Producer {
  readonly process: string;
  readonly transactional: boolean;
  /** In the order of sending, per partition. */
  open: OpenSend[] = [];
  entries: Entry[] = [];
  transaction = 0;

  constructor(process: string, transactional: boolean) {
    this.process = process;
    this.transactional = transactional;
  }

  get name(): { transaction?: string } {
    return this.transactional ? { transaction: `t${this.transaction}` } : {};
  }
}

interface Reader {
  readonly process: string;
  readonly partitions: number[];
  readonly positions: Map<number, number>;
}

const PRODUCERS = 4;
const READERS = 3;

class World {
  readonly lines: HistoryLine[] = [];
  readonly logs: Entry[][];
  readonly #random: Random;
  #clock = 1_000_000;
  #nextValue = 1;
  #epochs: number[];
  #generation = 0;

  constructor({ seed, partitions = 3 }: HistoryShape) {
    this.#random = seededRandom(seed);
    this.logs = Array.from({ length: partitions }, () => []);
    this.#epochs = this.logs.map(() => 0);
  }

  below(limit: number): number {
    return this.#random.below(limit);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  at(): number {
    this.#clock += 1 + this.below(50);
    return this.#clock;
  }

  tell(line: HistoryLine): void {
    this.lines.push(line);
  }

  operation(type: OperationLine['type'], process: string, rest: Partial<OperationLine>): void {
    this.tell({ type, at: this.at(), process, ...rest });
  }

  send(producer: Producer): void {
    const sends: Send[] = Array.from({ length: 1 + this.below(4) }, () => [
      this.below(this.logs.length),
      null,
      this.#nextValue++,
    ]);
    this.operation('invoke', producer.process, { sends, ...producer.name });
    for (const [partition, , value] of sends) {
      producer.open.push({ partition: partition as number, value, written: false, outcome: undefined });
    }
  }

  /** The log takes the oldest unwritten send of a partition. */
  write(producer: Producer): void {
    const partition = this.below(this.logs.length);
    const send = producer.open.find((each) => each.partition === partition && !each.written);
    if (send === undefined) return;
    const log = this.logs[partition]!;
    const entry: Entry = { value: send.value, visible: producer.transactional ? undefined : true };
    send.written = true;
    send.outcome = { offset: log.push(entry) - 1 };
    producer.entries.push(entry);
  }

  complete(producer: Producer): void {
    const written = producer.open.filter((send) => send.written);
    if (written.length === 0) return;
    const taken = written.slice(0, 1 + this.below(written.length));
    producer.open = producer.open.filter((send) => !taken.includes(send));
    const lost = !producer.transactional && this.chance(5);
    const sends = taken.map(({ partition, value, outcome }): Send => {
      return [partition, lost || this.chance(3) ? null : outcome!.offset, value];
    });
    // Nothing says what became of some.
    if (!(lost && this.chance(50))) this.operation(lost ? 'info' : 'ok', producer.process, { sends });
  }

  /** The oldest unwritten ones of all fail: from then on the producer sends others. */
  refuse(producer: Producer): void {
    if (producer.transactional) return;
    const unwritten = producer.open.filter((send) => !send.written);
    if (unwritten.length === 0) return;
    producer.open = producer.open.filter((send) => send.written);
    const sends = unwritten.map(({ partition, value }): Send => [partition, null, value]);
    this.operation(this.chance(50) ? 'fail' : 'info', producer.process, { sends });
  }

  endTransaction(producer: Producer): void {
    while (producer.open.length > 0) {
      this.write(producer);
      this.complete(producer);
    }
    const end = this.chance(70) ? 'commit' : 'abort';
    this.operation('invoke', producer.process, { end, ...producer.name });
    const known = this.chance(80);
    const done = end === 'commit' && (known || this.chance(50));
    for (const entry of producer.entries) entry.visible = done;
    this.operation(known ? 'ok' : 'info', producer.process, { end, ...producer.name });
    // A marker takes an offset.
    for (const log of this.logs) log.push({ value: -1, visible: false });
    producer.entries = [];
    producer.transaction++;
  }

  poll(reader: Reader, most = 6): boolean {
    const polls: [number, number, number][] = [];
    for (const partition of reader.partitions) {
      const log = this.logs[partition]!;
      let offset = reader.positions.get(partition) ?? 0;
      for (let count = 0; count < most && offset < log.length && log[offset]!.visible !== undefined; offset++) {
        if (!log[offset]!.visible) continue;
        polls.push([partition, offset, log[offset]!.value]);
        count++;
      }
      reader.positions.set(partition, offset);
    }
    if (polls.length > 0) this.operation('ok', reader.process, { polls });
    return polls.length > 0;
  }

  /** Readers begin anywhere again; members of the group share the partitions anew. */
  assign(readers: readonly Reader[]): void {
    const [free, ...members] = readers as [Reader, ...Reader[]];
    this.#generation++;
    this.#place(
      free,
      this.logs.map((_, partition) => partition),
    );
    members.forEach((member, index) => {
      const own = this.logs.map((_, partition) => partition).filter((each) => each % members.length === index);
      this.#place(member, own, { group: 'g', generation: this.#generation });
    });
  }

  #place(reader: Reader, partitions: readonly number[], group: { group?: string; generation?: number } = {}): void {
    reader.partitions.splice(0, Number.POSITIVE_INFINITY, ...partitions);
    for (const partition of partitions) reader.positions.set(partition, this.below(this.logs[partition]!.length + 1));
    this.tell({ type: 'assign', at: this.at(), process: reader.process, partitions, ...group });
  }

  lead(): void {
    const partition = this.below(this.logs.length);
    if (this.chance(50)) this.#epochs[partition]!++;
    const epoch = this.#epochs[partition]!;
    this.tell({ type: 'leader', at: this.at(), partition, epoch, leader: (epoch * 7 + partition) % 3 });
  }

  rest(): void {
    for (const [partition, log] of this.logs.entries()) {
      const batches = log.map(({ value }, offset) => [offset, offset, `d${value}`] as const);
      for (const broker of [1, 2, 3]) {
        const startOffset = broker === 2 ? Math.floor(log.length / 3) : 0;
        // A replica may have more than what was committed.
        const more = broker === 3 ? [[log.length, log.length + 1, 'more'] as const] : [];
        this.tell({
          type: 'replica',
          at: this.at(),
          partition,
          broker,
          startOffset,
          highWatermark: log.length,
          batches: [...batches.filter(([base]) => base >= startOffset), ...more],
        });
      }
    }
  }

  /** Mixed between processes, in order within each. */
  shuffled(): HistoryLine[] {
    const queues = new Map<string, HistoryLine[]>();
    for (const line of this.lines) {
      const process = 'process' in line ? (line.process as string) : line.type;
      const queue = queues.get(process);
      if (queue === undefined) queues.set(process, [line]);
      else queue.push(line);
    }
    const mixed: HistoryLine[] = [];
    const remaining = [...queues.values()].map((queue) => ({ queue, at: 0 }));
    while (remaining.length > 0) {
      const index = this.below(remaining.length);
      const source = remaining[index]!;
      for (let count = 1 + this.below(8); count > 0 && source.at < source.queue.length; count--) {
        mixed.push(source.queue[source.at++]!);
      }
      if (source.at === source.queue.length) remaining.splice(index, 1);
    }
    return mixed;
  }
}

export function randomHistory(shape: HistoryShape): HistoryLine[] {
  const world = new World(shape);
  const producers = Array.from({ length: PRODUCERS }, (_, index) => new Producer(`p${index}`, index === 0));
  const readers = Array.from({ length: READERS }, (_, index): Reader => {
    return { process: `c${index}`, partitions: [], positions: new Map() };
  });
  world.assign(readers);
  for (let step = 0; step < shape.steps; step++) {
    const producer = producers[world.below(PRODUCERS)]!;
    const dice = world.below(100);
    if (dice < 25) world.send(producer);
    else if (dice < 60) world.write(producer);
    else if (dice < 75) world.complete(producer);
    else if (dice < 77) world.refuse(producer);
    else if (dice < 79) world.endTransaction(producers[0]!);
    else if (dice < 80) world.assign(readers);
    else if (dice < 83) world.lead();
    else world.poll(readers[world.below(READERS)]!);
  }
  world.endTransaction(producers[0]!);
  readFresh(world);
  world.rest();
  return world.shuffled();
}

function readFresh(world: World): void {
  const partitions = world.logs.map((_, partition) => partition);
  const fresh: Reader = { process: 'fresh', partitions, positions: new Map() };
  world.tell({ type: 'assign', at: world.at(), process: fresh.process, partitions });
  while (world.poll(fresh, 100));
  world.tell({ type: 'fresh', at: world.at(), process: fresh.process, partitions });
}
