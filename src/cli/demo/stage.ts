/**
 * What the audience sees: on a terminal a picture that is drawn over, with the latest events below it; elsewhere events as
 * lines, and now and then how things stand.
 */
import type { Clock } from '../../base/clock.ts';
import { colours } from '../colours.ts';
import { formatCount } from '../progress.ts';
import type { GroupSeen } from './group-watch.ts';
import { PARTITIONS } from './stream-file.ts';

export interface Scene {
  readonly sent: number;
  readonly perSecond: number;
  readonly groups: readonly GroupSeen[];
}

const EVENTS_SHOWN = 7;
const STATUS_MS = 2000;
const BAR_WIDTH = 10;
const FULL_BAR_LAG = 1000;
const [HIDE_CURSOR, SHOW_CURSOR, CLEAR_BELOW] = ['\u001b[?25l', '\u001b[?25h', '\u001b[0J'];

export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class Stage {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #events: string[] = [];
  #scene: Scene = { sent: 0, perSecond: 0, groups: [] };
  #drawnLines = 0;
  #statusMs: number;

  constructor(output: Output, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
    this.#statusMs = this.#startedMs;
    if (output.isTTY) output.write(HIDE_CURSOR);
  }

  /** Something happened. */
  tell(event: string): void {
    const seconds = (this.#clock.monotonicMs() - this.#startedMs) / 1000;
    const line = `${colours.dim(`${seconds.toFixed(1).padStart(5)} s`)}  ${event}`;
    if (!this.#output.isTTY) {
      this.#output.write(`${line}\n`);
      return;
    }
    this.#events.push(line);
    if (this.#events.length > EVENTS_SHOWN) this.#events.shift();
    this.#draw();
  }

  show(scene: Scene): void {
    this.#scene = scene;
    if (this.#output.isTTY) {
      this.#draw();
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#statusMs < STATUS_MS) return;
    this.#statusMs = nowMs;
    this.#output.write(`         ${colours.dim(statusLine(scene))}\n`);
  }

  #draw(): void {
    const lines = [...pictureOf(this.#scene), '', ...this.#events];
    const width = this.#output.columns ?? 80;
    const back = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A\r` : '';
    this.#output.write(`${back}${CLEAR_BELOW}${lines.map((line) => clip(line, width)).join('\n')}\n`);
    this.#drawnLines = lines.length;
  }

  /** Leaves the last picture where it is. */
  end(): void {
    if (this.#output.isTTY) this.#output.write(SHOW_CURSOR);
  }
}

/** `queue: worker-1 has 0 1 2, ... lag 12; audit: ...` */
export function statusLine({ sent, groups }: Scene): string {
  const told = groups.map(({ group, partitions, lag }) => {
    const owners = new Map<string, number[]>();
    for (const [partition, { owner }] of partitions.entries()) {
      const name = owner ?? 'nobody';
      owners.set(name, [...(owners.get(name) ?? []), partition]);
    }
    const parts = [...owners].sort().map(([owner, list]) => `${owner} ${list.join(',')}`);
    return `${group}: ${parts.join(' | ')}, lag ${formatCount(lag)}`;
  });
  return `${formatCount(sent)} sent; ${told.join('; ')}`;
}

const OWNER_WIDTH = 11;
const LAG_WIDTH = 8;

/** Partitions down, groups across. */
export function pictureOf({ sent, perSecond, groups }: Scene): string[] {
  const cell = (group: GroupSeen, partition: number): string => {
    const { owner, lag } = group.partitions[partition] ?? {};
    const name = (owner ?? 'nobody').padEnd(OWNER_WIDTH);
    const count = (lag === undefined ? '-' : formatCount(lag)).padStart(LAG_WIDTH);
    return `${owner === undefined ? colours.red(name) : name}${count} ${barOf(lag ?? 0)}`;
  };
  const column = OWNER_WIDTH + LAG_WIDTH + 1 + BAR_WIDTH;
  const heading = groups.map(({ group, state }) => colours.bold(`${group} (${state})`.padEnd(column)));
  const names = groups.map(() =>
    colours.dim(`${'OWNER'.padEnd(OWNER_WIDTH)}${'LAG'.padStart(LAG_WIDTH)}`.padEnd(column)),
  );
  const rows = Array.from({ length: PARTITIONS }, (_, partition) =>
    [String(partition).padStart(9), ...groups.map((group) => cell(group, partition))].join('  '),
  );
  return [
    `  ${formatCount(sent)} lines sent${perSecond > 0 ? `, ${formatCount(perSecond)} a second` : ''}`,
    '',
    [' '.repeat(9), ...heading].join('  ').trimEnd(),
    [colours.dim('PARTITION'), ...names].join('  '),
    ...rows,
  ];
}

function barOf(lag: number): string {
  const filled = Math.min(BAR_WIDTH, Math.ceil((lag / FULL_BAR_LAG) * BAR_WIDTH));
  const colour = filled > BAR_WIDTH / 2 ? colours.red : filled > 2 ? colours.yellow : colours.green;
  return colour('▇'.repeat(filled)) + ' '.repeat(BAR_WIDTH - filled);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with an escape character.
const COLOUR = /\u001b\[[0-9;]*m/g;

/** A line that is wrapped would take two, and the picture would wander down. */
function clip(line: string, width: number): string {
  let visible = 0;
  let result = '';
  let from = 0;
  for (const match of line.matchAll(COLOUR)) {
    result += line.slice(from, match.index).slice(0, Math.max(0, width - visible));
    visible += match.index - from;
    result += match[0];
    from = match.index + match[0].length;
  }
  return result + line.slice(from).slice(0, Math.max(0, width - visible));
}
