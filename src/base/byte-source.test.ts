import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readLines } from './byte-source.ts';

async function linesOf(...chunks: readonly string[]): Promise<string[]> {
  async function* source(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
  }
  const lines: string[] = [];
  for await (const batch of readLines(source())) lines.push(...batch.map((line) => line.toString('latin1')));
  return lines;
}

describe('lines', () => {
  it('are cut wherever the chunks are', async () => {
    assert.deepEqual(await linesOf('one\ntw', 'o\nth', 'ree\n'), ['one', 'two', 'three']);
  });

  it('may be empty, may lack the last newline, and keep every byte but the newline', async () => {
    assert.deepEqual(await linesOf('\n\na\r\n', '\xff\xfe\0'), ['', '', 'a\r', '\xff\xfe\0']);
  });

  it('do not appear where there is nothing', async () => {
    assert.deepEqual(await linesOf(), []);
    assert.deepEqual(await linesOf(''), []);
  });

  it('end where another delimiter is, also one that two chunks share', async () => {
    async function* source(): AsyncGenerator<Buffer> {
      for (const chunk of ['a-b--c-', '-d---', 'e\n-']) yield Buffer.from(chunk);
    }
    const lines: string[] = [];
    for await (const batch of readLines(source(), Buffer.from('--'))) lines.push(...batch.map(String));
    assert.deepEqual(lines, ['a-b', 'c', 'd', '-e\n-']);
  });

  it('are the same wherever chunks and delimiters of several bytes meet', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', '-', '+') })),
        fc.constantFrom('-', '--', '-+-', '--+'),
        async (chunks, delimiter) => {
          async function* source(): AsyncGenerator<Buffer> {
            for (const chunk of chunks) yield Buffer.from(chunk);
          }
          const lines: string[] = [];
          for await (const batch of readLines(source(), Buffer.from(delimiter))) lines.push(...batch.map(String));
          const expected = chunks.join('').split(delimiter);
          if (expected.at(-1) === '') expected.pop();
          assert.deepEqual(lines, expected);
        },
      ),
    );
  });

  it('are copied once, however many chunks a long one comes in, and refused where they are endless', async () => {
    let sent = 0;
    async function* source(): AsyncGenerator<Buffer> {
      const chunk = Buffer.alloc(8192, 'a');
      for (; sent < 10_000; sent++) yield chunk;
    }
    const startedMs = performance.now();
    await assert.rejects(
      async () => {
        for await (const _ of readLines(source())) assert.fail('there is no line');
      },
      { code: 'LINE_TOO_LONG' },
    );
    // Copying what is held for each of the 8,193 chunks would be 275 GB.
    assert.ok(performance.now() - startedMs < 5000);
    assert.equal(sent, 8192);
  });
});
