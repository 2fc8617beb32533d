/** Makes a topic, looks at it, changes it, and moves a group. */
import { Client } from 'sluice';

const brokers = process.env['SLUICE_BROKERS'] ?? 'localhost:9092';
await using client = new Client({ brokers });
const admin = client.admin();

await admin.createTopic({ name: 'invoices', partitions: 3, configs: { 'retention.ms': '86400000' } });
// Lists have one outcome each: some may fail where others do not.
for (const outcome of await admin.createTopics([{ name: 'invoices' }])) {
  if (!outcome.ok) console.log(`${outcome.name}: ${outcome.error.code}`);
}
await admin.createPartitions([{ name: 'invoices', count: 4 }]);
const topics = await admin.listTopics();
console.log(`${topics.find(({ name }) => name === 'invoices')?.partitions.length} partitions`);

// A group without members goes where it is told.
const place = { topic: 'invoices', partition: 0 };
await admin.commitGroupOffsets('accounting', [{ ...place, offset: 0n }]);
const [committed] = await admin.groupOffsets('accounting');
console.log(`accounting reads on at ${committed?.offset}`);

await admin.deleteGroups(['accounting']);
await admin.deleteTopic('invoices');
