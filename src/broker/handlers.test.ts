import assert from 'node:assert/strict';
import { it } from 'node:test';
import { declaredSchemas } from '../../test/support/declared-schemas.ts';
import { createHandlers } from './handlers.ts';
import type { BrokerServices } from './services.ts';

/** APIs among brokers that are declared and not served yet. Shrinks to nothing. */
const AWAITED: ReadonlySet<number> = new Set([]);

it('every declared API has a handler, and none has two', async () => {
  // Handlers keep their services for later; building the table touches none of them.
  const keys = createHandlers({} as BrokerServices).map(({ api }) => api.key);
  const declared = (await declaredSchemas()).apis.map(({ key }) => key).filter((key) => !AWAITED.has(key));
  assert.deepEqual(
    keys.sort((left, right) => left - right),
    declared,
  );
});
