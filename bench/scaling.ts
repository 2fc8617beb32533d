/**
 * How throughput, latency and the broker's CPU change with one size at a time: bytes of a message, records of a batch,
 * partitions, connections, consumers of the same topic, bytes already stored. Recorded requests (recorded-frames.ts)
 * and bare Fetch requests, so that no client's own curve is measured. Latency of writes is taken at a tenth of the rate
 * that was just reached; that of reads at full speed.
 *
 * usage: node dist/bench/scaling.js [--only message,batch,partitions,connections,consumers,stored] [--rounds 1] [--megabytes 400]
 *          [--seconds 3] [--most-partitions 10000] [--most-connections 5000] [--most-gigabytes 2] [--smoke] [--out DIRECTORY]
 *
 * --most-gigabytes 20 gives the whole curve of stored data, and needs 25 GB of disk. 5,000 connections need `ulimit -n` of 12,000.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { makeTemporaryDirectory } from '../src/base/temporary-directory.ts';
import { startSluice } from '../test/compat/harness/sluice.ts';
import { svg } from './plot.ts';
import { deliver, median, shown, table } from './results.ts';
import { CURVES, type Curve, FULL, type Point, type Scale, SMOKE } from './scaling-curves.ts';

function limited(curve: Curve, scale: Scale): number[] {
  return curve.values(scale).filter((value) => value <= curve.most(scale));
}

async function measureCurve(curve: Curve, scale: Scale): Promise<Point[]> {
  const home = makeTemporaryDirectory('sluice-bench-scaling');
  const broker = await startSluice();
  const points: Point[] = [];
  try {
    const stored = { records: 0, bytes: 0 };
    const setting = { port: broker.port, pid: broker.child.pid!, home, scale, stored };
    for (const value of limited(curve, scale)) {
      const point = await curve.measure(value, setting);
      points.push(point);
      console.error(`  ${value}: ${shown(point.megabytesPerSecond)} MB/s, p99 ${shown(point.p99Ms)} ms`);
    }
  } finally {
    await broker.remove();
    rmSync(home, { recursive: true, force: true });
  }
  return points;
}

/** Each value's median over the rounds. */
function merged(rounds: readonly (readonly Point[])[]): Point[] {
  const [first = []] = rounds;
  return first.map((point, index) => {
    const of = (measure: (point: Point) => number): number => median(rounds.map((round) => measure(round[index]!)));
    return {
      value: point.value,
      unitsPerSecond: of(({ unitsPerSecond }) => unitsPerSecond),
      megabytesPerSecond: of(({ megabytesPerSecond }) => megabytesPerSecond),
      p50Ms: of(({ p50Ms }) => p50Ms),
      p99Ms: of(({ p99Ms }) => p99Ms),
      cpuSecondsAGigabyte: of(({ cpuSecondsAGigabyte }) => cpuSecondsAGigabyte),
      ...(point.fetch !== undefined && {
        fetch: {
          megabytesPerSecond: of(({ fetch }) => fetch!.megabytesPerSecond),
          p99Ms: of(({ fetch }) => fetch!.p99Ms),
          cpuSecondsAGigabyte: of(({ fetch }) => fetch!.cpuSecondsAGigabyte),
        },
      }),
    };
  });
}

function render(curve: Curve, points: readonly Point[]): string {
  const both = points.some(({ fetch }) => fetch !== undefined);
  const head = [curve.label, `${curve.unit}/s`, 'MB/s', 'p50, ms', 'p99, ms', 'CPU, s/GB'];
  const more = both ? ['fetch of old data, MB/s', 'its p99, ms', 'its CPU, s/GB'] : [];
  const rows = points.map((point) => {
    const { unitsPerSecond, megabytesPerSecond, p50Ms, p99Ms, cpuSecondsAGigabyte, fetch } = point;
    const cells = [unitsPerSecond, megabytesPerSecond, p50Ms, p99Ms, cpuSecondsAGigabyte];
    const fetched =
      fetch === undefined ? [] : [fetch.megabytesPerSecond, fetch.p99Ms, fetch.cpuSecondsAGigabyte].map(shown);
    return [point.value.toLocaleString('en'), ...cells.map(shown), ...fetched];
  });
  return `### ${curve.title}\n\n${table([...head, ...more], rows)}`;
}

function plots(curve: Curve, points: readonly Point[]): Record<string, string> {
  const line = (measure: (point: Point) => number) => points.map((point) => [point.value, measure(point)] as const);
  const x = { label: curve.label, scale: 'log' } as const;
  const name = curve.reads ? 'fetch' : 'produce';
  const old = points.some(({ fetch }) => fetch !== undefined);
  const rates = [
    { name, points: line(({ megabytesPerSecond }) => megabytesPerSecond) },
    ...(old ? [{ name: 'fetch of old data', points: line(({ fetch }) => fetch!.megabytesPerSecond) }] : []),
  ];
  const latencies = [
    { name: 'p50', points: line(({ p50Ms }) => p50Ms) },
    { name: 'p99', points: line(({ p99Ms }) => p99Ms) },
  ];
  const { title } = curve;
  return {
    [`scaling-${curve.name}-rate.svg`]: svg({ title, x, y: { label: 'MB/s', scale: 'log' }, lines: rates }),
    [`scaling-${curve.name}-latency.svg`]: svg({ title, x, y: { label: 'ms', scale: 'log' }, lines: latencies }),
  };
}

function parse() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: CURVES.map(({ name }) => name).join() },
      rounds: { type: 'string', default: '1' },
      megabytes: { type: 'string' },
      seconds: { type: 'string' },
      'most-partitions': { type: 'string' },
      'most-connections': { type: 'string' },
      'most-gigabytes': { type: 'string' },
      smoke: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  const base = values.smoke ? SMOKE : FULL;
  const curves = values.only.split(',').map((name) => {
    const found = CURVES.find((curve) => curve.name === name);
    if (found === undefined) throw new Error(`--only ${name}: one of ${CURVES.map((curve) => curve.name).join(', ')}`);
    return found;
  });
  const scale: Scale = {
    megabytes: Number(values.megabytes ?? base.megabytes),
    seconds: Number(values.seconds ?? base.seconds),
    mostPartitions: Number(values['most-partitions'] ?? base.mostPartitions),
    mostConnections: Number(values['most-connections'] ?? base.mostConnections),
    mostConsumers: base.mostConsumers,
    mostGigabytes: Number(values['most-gigabytes'] ?? base.mostGigabytes),
  };
  return { curves, scale, rounds: Number(values.rounds), out: values.out };
}

async function main(): Promise<void> {
  const { curves, scale, rounds, out } = parse();
  const tables: string[] = [];
  const drawn: Record<string, string> = {};
  const json: Record<string, readonly Point[]> = {};
  for (const curve of curves) {
    const measured: Point[][] = [];
    for (let round = 0; round < rounds; round++) {
      console.error(`${curve.title}, round ${round + 1} of ${rounds}`);
      measured.push(await measureCurve(curve, scale));
    }
    const points = merged(measured);
    json[curve.name] = points;
    tables.push(render(curve, points));
    Object.assign(drawn, plots(curve, points));
  }
  const title = `Scaling, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`;
  deliver({ name: 'scaling', title, markdown: tables.join('\n\n'), json, plots: drawn }, out);
}

if (process.argv[1] === import.meta.filename) await main();
