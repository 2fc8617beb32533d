/**
 * Sluice and Apache Kafka side by side: rounds alternate between the two on one machine with the same load
 * generators, and medians are compared. A table goes to standard output, then all samples as JSON.
 *
 * usage: npm run bench -- [--peer kafka|none] [--peer-alone] [--rounds N] [--only NAME,...] [--smoke]
 */
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { KAFKA_VERSION, kafkaClassPath } from '../test/compat/harness/kafka-jars.ts';
import { findConsumer, findDrain } from './generators.ts';
import { FULL, MEASURES, runSystem, SMOKE, type System } from './measures.ts';
import { markdownTable, type Sample, summarize } from './report.ts';

interface Options {
  readonly peer: 'kafka' | 'none';
  readonly peerAlone: boolean;
  readonly rounds: number;
  readonly smoke: boolean;
  readonly only: readonly string[];
}

function parse(): Options {
  const { values } = parseArgs({
    options: {
      peer: { type: 'string', default: 'kafka' },
      'peer-alone': { type: 'boolean', default: false },
      rounds: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
    },
  });
  const { peer, smoke } = values;
  if (peer !== 'kafka' && peer !== 'none') throw new Error(`--peer ${peer}: kafka or none`);
  const rounds = Number(values.rounds ?? (smoke ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: a whole number from 1 on`);
  const only = values.only === '' ? [] : values.only.split(',');
  const unknown = only.find((name) => !MEASURES.some((measure) => measure.name === name));
  if (unknown !== undefined)
    throw new Error(`--only ${unknown}: one of ${MEASURES.map(({ name }) => name).join(', ')}`);
  return { peer, peerAlone: values['peer-alone'], rounds, smoke, only };
}

async function main(): Promise<void> {
  const options = parse();
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
  const machine = `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
  const rows = summarize(samples);
  console.log(
    `Sluice${options.peer === 'kafka' ? ` and Apache Kafka ${KAFKA_VERSION}` : ''}, ${options.rounds} rounds, ${machine}\n`,
  );
  console.log(markdownTable(rows, { sluice: 'Sluice', ...(options.peer === 'kafka' && { kafka: 'Apache Kafka' }) }));
  console.log(`\n${JSON.stringify({ machine, rounds: options.rounds, smoke: options.smoke, rows, samples })}`);
}

await main();
