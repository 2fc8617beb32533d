import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SluiceError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { type ProducerIdBlock, ProducerIds } from './producer-ids.ts';

/** A controller that gives blocks of ten, while there is one. */
function controller() {
  const clock = new SimulatedClock();
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (message, fields = {}) => lines.push(`${message} ${JSON.stringify(fields)}`),
    info: (message) => lines.push(message),
  };
  const state = { isThere: true, asked: 0, next: 100 };
  const allocate = async (): Promise<ProducerIdBlock> => {
    state.asked++;
    if (!state.isThere) throw new SluiceError('NOT_CONTROLLER', 'nobody is there', { retriable: true });
    const first = state.next;
    state.next += 10;
    return { first, count: 10 };
  };
  return { state, clock, lines, ids: new ProducerIds({ clock, logger, allocate }) };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function take(ids: ProducerIds, count: number): Promise<number[]> {
  const taken: number[] = [];
  for (let each = 0; each < count; each++) taken.push(await ids.next());
  await settle();
  return taken;
}

describe('producer ids', () => {
  it('are there from the start on, and the next ones before these are used up', async () => {
    const { state, ids } = controller();
    ids.begin();
    await settle();
    assert.equal(state.asked, 1);
    assert.deepEqual(await take(ids, 4), [100, 101, 102, 103]);
    assert.equal(state.asked, 1);
    await take(ids, 1);
    assert.equal(state.asked, 2, 'half of them are used');
    state.isThere = false;
    assert.deepEqual((await take(ids, 15)).at(-1), 119, 'without a controller');
    await assert.rejects(ids.next(), SluiceError);
  });

  it('come again by themselves once there is a controller, which is told once', async () => {
    const { state, clock, lines, ids } = controller();
    state.isThere = false;
    ids.begin();
    await settle();
    for (let each = 0; each < 20; each++) await assert.rejects(ids.next());
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /no producer ids can be allocated.*"left":0.*nobody is there/);
    state.isThere = true;
    clock.advance(5000);
    await settle();
    assert.equal(lines.at(-1), 'producer ids can be allocated again');
    assert.deepEqual(await take(ids, 1), [100]);
  });

  it('are never given twice, however many ask at once', async () => {
    const { ids } = controller();
    ids.begin();
    const taken = await Promise.all(Array.from({ length: 100 }, () => ids.next()));
    assert.equal(new Set(taken).size, 100);
  });
});
