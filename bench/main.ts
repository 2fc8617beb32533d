/**
 * The benchmark suite. `broker`, what runs where nothing is named, has Sluice and Apache Kafka side by side: rounds alternate
 * between the two on one machine with the same load generators, and medians are compared. The others are programs of
 * their own beside this one, run one after the other. Tables go to standard output, and with --out also to files there: NAME.md,
 * NAME.json, plots, and all tables in report.md. Without --out all samples of `broker` follow its table as JSON.
 *
 * usage: npm run bench -- [--suite broker,limit,zero-copy,disk-access,brokers,cores,scaling|all] [--out DIRECTORY] [--smoke]
 *                         [--peer kafka|none] [--peer-alone] [--rounds N] [--only NAME,...]   (these for `broker`)
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KAFKA_VERSION, kafkaClassPath } from '../test/compat/harness/kafka-jars.ts';
import { findConsumer, findDrain } from './generators.ts';
import { FULL, MEASURES, runSystem, SMOKE, type System } from './measures.ts';
import { bars } from './plot.ts';
import { markdownTable, type Row, type Sample, summarize } from './report.ts';
import { deliver, machine } from './results.ts';

const COMPARISON = 'broker';
const SUITES = [COMPARISON, 'limit', 'zero-copy', 'disk-access', 'brokers', 'cores', 'scaling'] as const;

interface Options {
  readonly suites: readonly string[];
  readonly out: string | undefined;
  readonly peer: 'kafka' | 'none';
  readonly peerAlone: boolean;
  readonly rounds: number;
  readonly smoke: boolean;
  readonly only: readonly string[];
}

function parse(): Options {
  const { values } = parseArgs({
    options: {
      suite: { type: 'string', default: COMPARISON },
      out: { type: 'string' },
      peer: { type: 'string', default: 'kafka' },
      'peer-alone': { type: 'boolean', default: false },
      rounds: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
    },
  });
  const { peer, smoke, out } = values;
  if (peer !== 'kafka' && peer !== 'none') throw new Error(`--peer ${peer}: kafka or none`);
  const rounds = Number(values.rounds ?? (smoke ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: a whole number from 1 on`);
  const only = values.only === '' ? [] : values.only.split(',');
  const unknown = only.find((name) => !MEASURES.some((measure) => measure.name === name));
  if (unknown !== undefined)
    throw new Error(`--only ${unknown}: one of ${MEASURES.map(({ name }) => name).join(', ')}`);
  const suites = values.suite === 'all' ? SUITES : values.suite.split(',');
  const unheard = suites.find((name) => !SUITES.some((suite) => suite === name));
  if (unheard !== undefined) throw new Error(`--suite ${unheard}: all, or some of ${SUITES.join(', ')}`);
  return { suites, out, peer, peerAlone: values['peer-alone'], rounds, smoke, only };
}

async function compare(options: Options): Promise<void> {
  const classPath = await kafkaClassPath();
  if (classPath.value === undefined) throw new Error(`the load generator is Apache Kafka's own: ${classPath.reason}`);
  const consumer = await findConsumer();
  const drain = await findDrain();
  const systems: System[] = [
    ...(options.peerAlone ? [] : ['sluice' as const]),
    ...(options.peer === 'kafka' ? ['kafka' as const] : []),
  ];
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) {
    // Whoever comes first meets a cooler machine: take turns.
    const order = round % 2 === 0 ? systems : systems.toReversed();
    for (const system of order) {
      console.error(`round ${round + 1} of ${options.rounds}: ${system}`);
      const size = options.smoke ? SMOKE : FULL;
      const setup = { system, round, size, only: options.only, classPath: classPath.value, consumer, drain };
      samples.push(...(await runSystem(setup)));
    }
  }
  const rows = summarize(samples);
  const title = `Sluice${options.peer === 'kafka' ? ` and Apache Kafka ${KAFKA_VERSION}` : ''}, ${options.rounds} rounds`;
  const names = { sluice: 'Sluice', ...(options.peer === 'kafka' && { kafka: 'Apache Kafka' }) };
  const json = { machine: machine(), rounds: options.rounds, smoke: options.smoke, rows, samples };
  const plots: Record<string, string> = systems.length === 2 ? { 'broker-ratios.svg': ratios(rows) } : {};
  deliver({ name: COMPARISON, title, markdown: markdownTable(rows, names), json, plots }, options.out);
  if (options.out === undefined) console.log(JSON.stringify(json));
}

/** How many times better, whichever way better is. */
function ratios(rows: readonly Row[]): string {
  const found = rows.flatMap(({ measure, better, ratios: { sluice } }) =>
    sluice === undefined ? [] : [{ name: measure, value: better === 'higher' ? sluice : 1 / sluice }],
  );
  return bars({ title: 'Sluice over Apache Kafka: how many times better', bars: found });
}

/** Runs one of the other programs to its end, in its own process so that no heap weighs on the next. */
function runProgram(name: string, { smoke, out }: Options): Promise<void> {
  const program = join(import.meta.dirname, `${name}${import.meta.filename.slice(-3)}`);
  const flags = [...(smoke ? ['--smoke'] : []), ...(out === undefined ? [] : ['--out', out])];
  const child = spawn(process.execPath, [...process.execArgv, program, ...flags], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${name} ended with ${code ?? signal}`));
    });
  });
}

function writeReport(directory: string): void {
  const parts = SUITES.map((name) => join(directory, `${name}.md`)).filter((path) => existsSync(path));
  const text = parts.map((path) => readFileSync(path, 'utf8')).join('\n');
  writeFileSync(join(directory, 'report.md'), `# What was measured\n\n${text}`);
}

async function main(): Promise<void> {
  const options = parse();
  for (const suite of options.suites) {
    console.error(`=== ${suite}`);
    if (suite === COMPARISON) await compare(options);
    else await runProgram(suite, options);
  }
  if (options.out !== undefined) writeReport(options.out);
}

await main();
