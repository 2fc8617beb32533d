/**
 * What both Node clients share: the script on stdin, the records' file (see harness/records.ts), results on stdout.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

const unbase64 = (string) => (string === null ? null : Buffer.from(string, 'base64'));

/** { partition, key, value, headers: [[name, value]], timestamp (ms or undefined) } of each record. */
export function readRecords(file) {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { p, k, v, h, t } = JSON.parse(line);
      const headers = h.map(([name, value]) => [name, unbase64(value)]);
      return { partition: p, key: unbase64(k), value: unbase64(v), headers, timestamp: t };
    });
}

const base64 = (bytes) => bytes?.toString('base64') ?? null;

/** What one consume has read so far, as the records' file has it, and whether that is all. */
export class Reading {
  group = `reading-${randomUUID()}`;
  #lines = [];
  #wanted;

  constructor({ partitions }) {
    this.#wanted = partitions.reduce((sum, { count }) => sum + count, 0);
  }

  get isDone() {
    return this.#lines.length >= this.#wanted;
  }

  /** `headers` as [name, value or null]. */
  add({ partition, offset, timestamp, key, value, headers }) {
    const h = headers.map(([name, each]) => [String(name), base64(each)]);
    const line = { p: partition, o: Number(offset), t: Number(timestamp), k: base64(key), v: base64(value), h };
    this.#lines.push(`${JSON.stringify(line)}\n`);
  }

  write(file) {
    writeFileSync(file, this.#lines.join(''));
    return [];
  }
}

/** Runs each operation by the handler of its name; `nameOf` gives the protocol's name of an error. */
export async function runScript(connect, nameOf) {
  const script = JSON.parse(await text(process.stdin));
  const client = await connect(script);
  const results = [];
  for (const operation of script.operations) {
    try {
      results.push({ ok: await client.handlers[operation.op](operation) });
    } catch (error) {
      results.push({ error: nameOf(error), message: String(error.stack ?? error) });
    }
  }
  await client.close();
  process.stdout.write(JSON.stringify(results));
}
