import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
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
});
