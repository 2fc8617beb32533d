/**
 * One client under one load, in a process of its own (bench/clients.ts starts it): prints { records, ms, cpuMs } as JSON.
 *
 * usage: load.js CLIENT LOAD BYTES BOOTSTRAP TOPIC SECONDS|RECORDS
 */
import { kafkajs } from './kafkajs.ts';
import { cpuMs, type LoadedClient, type Result } from './loaded-client.ts';
import { platformatic } from './platformatic.ts';
import { sluice } from './sluice.ts';

const CLIENTS: Readonly<Record<string, (bootstrap: string) => Promise<LoadedClient>>> = {
  sluice,
  platformatic,
  kafkajs,
};
const WARM_UP_MS = 1000;
const BATCH = 100;

/** Calls again and again until time is up; what the first second did does not count. */
async function produce(send: () => Promise<unknown>, recordsACall: number, seconds: number): Promise<Result> {
  const warmUntilMs = performance.now() + WARM_UP_MS;
  while (performance.now() < warmUntilMs) await send();
  const startedMs = performance.now();
  const startedCpuMs = cpuMs();
  const untilMs = startedMs + seconds * 1000;
  let records = 0;
  while (performance.now() < untilMs) {
    await send();
    records += recordsACall;
  }
  return { records, ms: performance.now() - startedMs, cpuMs: cpuMs() - startedCpuMs };
}

const [name, load, bytes, bootstrap, topic, amount] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
const client = await CLIENTS[name]!(bootstrap);
const value = Buffer.alloc(Number(bytes), 'x');
const hundred = Array.from({ length: BATCH }, () => value);
let result: Result;
if (load === 'single') result = await produce(() => client.send(topic, [value]), 1, Number(amount));
else if (load === 'concurrent') {
  const calls = () => Promise.all(hundred.map((each) => client.send(topic, [each])));
  result = await produce(calls, BATCH, Number(amount));
} else if (load === 'batch') result = await produce(() => client.send(topic, hundred), BATCH, Number(amount));
else result = await client.consume(topic, Number(amount));
process.stdout.write(JSON.stringify(result), () => process.exit(0));
