/**
 * Asks Apache Kafka 4.3 and Sluice the same questions, every served API at every version, right and wrong, and compares
 * the answers. What differs on purpose stands in harness/differential/known-differences.ts.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clusterScenarios } from './differential/cluster.ts';
import { configScenarios, lastScenarios } from './differential/configs.ts';
import { featureScenarios } from './differential/features.ts';
import { fetchScenarios } from './differential/fetch.ts';
import { groupScenarios } from './differential/groups.ts';
import { offsetScenarios } from './differential/offsets.ts';
import { produceScenarios } from './differential/produce.ts';
import { reassignmentScenarios } from './differential/reassignments.ts';
import { topicScenarios } from './differential/topics.ts';
import { KNOWN_DIFFERENCES, type KnownDifference, knownDifference } from './harness/differential/known-differences.ts';
import { type Found, Pair } from './harness/differential/pair.ts';
import { kafkaClassPath } from './harness/kafka-jars.ts';
import { requireToolchain } from './harness/toolchain.ts';

const SCENARIOS = {
  ...clusterScenarios,
  ...topicScenarios,
  ...configScenarios,
  ...produceScenarios,
  ...fetchScenarios,
  ...offsetScenarios,
  ...featureScenarios,
  ...reassignmentScenarios,
  ...groupScenarios,
  ...lastScenarios,
};
/** More would not be read. */
const MOST_SHOWN = 30;

const classPath = await kafkaClassPath();
const met = new Set<KnownDifference>();
let pair: Pair | undefined;

before(async () => {
  if (classPath.value !== undefined) pair = await Pair.start(classPath.value);
});

after(() => pair?.stop());

for (const [title, run] of Object.entries(SCENARIOS)) {
  test(title, async (context) => {
    if (requireToolchain(context, classPath) === undefined) return;
    const { found, compared } = await during(pair!, () => run(pair!));
    assert.ok(compared > 0, 'nothing was compared');
    const unknown = found.filter((each) => {
      const known = knownDifference(each);
      if (known !== undefined) met.add(known);
      return known === undefined;
    });
    assert.equal(unknown.length, 0, describe(unknown));
  });
}

test('every difference that is known is still there', (context) => {
  if (requireToolchain(context, classPath) === undefined) return;
  const gone = KNOWN_DIFFERENCES.filter((known) => !met.has(known)).map(({ why }) => why);
  assert.deepEqual(gone, []);
});

async function during(asked: Pair, run: () => Promise<void>): Promise<{ found: readonly Found[]; compared: number }> {
  const [differencesBefore, comparedBefore] = [asked.found.length, asked.compared];
  await run();
  return { found: asked.found.slice(differencesBefore), compared: asked.compared - comparedBefore };
}

function describe(found: readonly Found[]): string {
  const lines = found
    .slice(0, MOST_SHOWN)
    .map(({ question, path, kafka, sluice }) => `${question} | ${path}\n  kafka  ${kafka}\n  sluice ${sluice}`);
  return `${found.length} differences\n${lines.join('\n')}`;
}
