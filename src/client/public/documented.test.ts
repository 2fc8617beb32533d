/** docs/clients.md tells every code and event that the client has. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../../../test/support/declared-schemas.ts';

const docs = readFileSync(join(projectRoot, 'docs', 'clients.md'), 'utf8');
const folder = join(projectRoot, 'src', 'client');
const sources = [
  join(projectRoot, 'src', 'network', 'channel.ts'),
  ...readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.includes('.test.') && !file.startsWith('admin'))
    .map((file) => join(folder, file)),
].map((file) => readFileSync(file, 'utf8'));

function found(pattern: RegExp): string[] {
  return [...new Set(sources.flatMap((text) => [...text.matchAll(pattern)].map((match) => match[1]!)))].sort();
}

test('every error code of the client is documented', () => {
  const codes = found(/(?:new SluiceError|misused|failed|#error)\(\s*'([A-Z_]+)'/g);
  assert.ok(codes.length > 20, String(codes));
  assert.deepEqual(
    codes.filter((code) => !docs.includes(`\`${code}\``)),
    [],
  );
});

test('every event is documented', () => {
  const events = found(/channel\('(sluice:[a-z:-]+)'\)/g);
  assert.ok(events.length >= 9, String(events));
  const told = (event: string): boolean => docs.includes(event) || docs.includes(`\`:${event.split(':').at(-1)}\``);
  assert.deepEqual(
    events.filter((event) => !told(event)),
    [],
  );
});

test('every option is documented', () => {
  const files = ['options.ts', 'producer/options.ts', 'consumer/consumer-options.ts', 'consumer/options.ts'];
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const [, body] of text.matchAll(
      /export interface (?:ClusterOptions|ProducerOptions|ConsumerOptions|FetchSettings)[^{]*\{([^}]+)\n\}/g,
    )) {
      for (const [, name] of body!.matchAll(/readonly (\w+)\?:/g)) {
        if (name === 'maxUncompressedBytes') continue;
        assert.ok(docs.includes(`\`${name}\``), `${file}: ${name}`);
      }
    }
  }
});
