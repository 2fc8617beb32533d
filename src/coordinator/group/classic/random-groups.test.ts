/**
 * Random lives of a group: consumers that come, go, die and come back, a coordinator that is unloaded, killed and loses
 * power, on simulated time. SLUICE_SEED replays one life, SLUICE_SEEDS sets how many there are.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { committedOffset, GroupWorld, type Restart } from '../group-world.test.support.ts';
import { Judge } from './judge.test.support.ts';
import { PARTITIONS, REBALANCE_MS, SESSION_MS, WanderingConsumer } from './wandering-consumers.test.support.ts';

const STEPS = 250;
const ALL_PARTITIONS = Array.from({ length: PARTITIONS }, (_, at) => at);
const RESTARTS: readonly Restart[] = ['unload', 'kill', 'losePower'];

class Life {
  readonly judge = new Judge();
  readonly consumers: WanderingConsumer[];
  readonly #world: GroupWorld;

  constructor(world: GroupWorld) {
    this.#world = world;
    this.consumers = Array.from({ length: 3 + world.random.below(6) }, (_, at) => {
      const instanceId = world.random.below(3) === 0 ? `instance-${at}` : null;
      return new WanderingConsumer(`c${at}`, instanceId, world, this.judge);
    });
  }

  async wander(): Promise<void> {
    const { random } = this.#world;
    for (let step = 0; step < STEPS; step++) {
      for (const consumer of this.consumers) if (random.below(3) === 0) consumer.act();
      if (random.below(60) === 0) await this.#world.restart(RESTARTS[random.below(RESTARTS.length)]!);
      if (random.below(3) > 0) await this.#world.settle();
      await this.#pass(random.below(20) === 0 ? random.below(20_000) : random.below(1500));
      this.judge.noPartitionTwice(this.consumers);
      if (random.below(10) === 0) await this.#readCommitted();
    }
  }

  /** From now on everybody behaves: the group must come to rest with all of them, and later without one that hangs. */
  async heal(): Promise<void> {
    for (const consumer of this.consumers) {
      consumer.mayHang = false;
      if (consumer.phase === 'lazy') consumer.wake();
    }
    await this.#world.reload();
    await this.#comeToRest(this.consumers);
    const hanging = this.consumers.find(({ instanceId }) => instanceId === null);
    const others = this.consumers.filter((consumer) => consumer !== hanging);
    hanging?.hang();
    for (const consumer of others) consumer.leave();
    await this.#comeToRest(others);
    for (const consumer of others) consumer.commit();
    await this.#world.settle();
    await this.#readCommitted();
    await this.#world.reload('losePower');
    await this.#readCommitted();
  }

  async #comeToRest(members: readonly WanderingConsumer[]): Promise<void> {
    // Who died is dropped after its session, who does not join again after the rebalance timeout; both may come twice.
    await this.#pass(3 * (SESSION_MS + REBALANCE_MS));
    this.judge.noPartitionTwice(this.consumers);
    for (const { phase, name } of members) assert.equal(phase, 'in', `${name} is in the group`);
    const owned = members.flatMap((consumer) => consumer.owned).sort();
    assert.deepEqual(owned, ALL_PARTITIONS, 'every partition has its reader');
    assert.equal(new Set(members.map(({ generation }) => generation)).size, 1, 'all are in one generation');
    assert.equal(this.judge.pending, 0, 'every request is answered');
  }

  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      await this.#world.pass(Math.min(500, left));
      for (const consumer of this.consumers) if (consumer.phase !== 'out' || ms > 5000) consumer.live();
      await this.#world.settle();
    }
  }

  async #readCommitted(): Promise<void> {
    await this.#world.settle();
    this.judge.read(await committedOffset(this.#world));
  }
}

function seeds(): number[] {
  const one = process.env['SLUICE_SEED'];
  if (one !== undefined) return [Number(one)];
  const count = Number(process.env['SLUICE_SEEDS'] ?? 25);
  const first = Math.floor(Math.random() * 2 ** 30);
  return Array.from({ length: count }, (_, at) => first + at);
}

it('a group never has a partition twice, loses no commit, and comes to rest when everybody behaves', async () => {
  let rebalances = 0;
  let ownerships = 0;
  for (const seed of seeds()) {
    const world = await GroupWorld.create({
      seed,
      log: { flushMessages: 1 },
      settings: { initialRebalanceDelayMs: 1000 },
    });
    const life = new Life(world);
    try {
      await life.wander();
      await life.heal();
    } catch (error) {
      console.log(`seed ${seed}`);
      throw error;
    }
    rebalances += life.judge.rebalances;
    ownerships += life.judge.ownerships;
  }
  assert.ok(rebalances > 100 && ownerships > 50, `${rebalances} joins and ${ownerships} assignments prove little`);
});
