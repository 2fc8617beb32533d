/**
 * What both Node clients share: the script on stdin, the records' file (see harness/records.ts), results on stdout.
 */
import { readFileSync } from 'node:fs';
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
