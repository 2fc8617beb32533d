/** Changes topics: what was done as data, one row a topic; what was refused as errors, with a failure at the end. */
import { SluiceError } from '../base/errors.ts';
import { Admin } from '../client/admin/admin.ts';
import type { Outcome } from '../client/admin/outcome.ts';
import { invalid, keyAndValue, wholeNumber } from './arguments.ts';
import { refuseUnknown } from './cluster-configs.ts';
import { confirm } from './confirm.ts';
import { openCluster } from './open-cluster.ts';
import { fail, printRows, type Row } from './output.ts';
import type { AlterOptions, CreateOptions, TopicsOptions } from './topics.ts';

export async function createTopics(names: readonly string[], options: CreateOptions): Promise<void> {
  const { replicationFactor, partitions, dryRun } = options;
  const shape = {
    partitions: partitions === undefined ? undefined : wholeNumber('--partitions', partitions, 1),
    replicationFactor:
      replicationFactor === undefined ? undefined : wholeNumber('--replication-factor', replicationFactor, 1),
    assignments: options.replicaAssignment === undefined ? undefined : assignmentsOf(options.replicaAssignment),
    configs: Object.fromEntries(options.config.map((text) => keyAndValue('--config', text))),
  };
  if (shape.assignments !== undefined && (partitions ?? replicationFactor) !== undefined) {
    throw new SluiceError(
      'INVALID_ARGUMENT',
      '--replica-assignment says how many partitions and replicas there are: leave out the other options',
    );
  }
  await withAdmin(options, async (admin) => {
    const answers = await admin.createTopics(
      names.map((name) => ({ name, ...shape })),
      { validateOnly: dryRun },
    );
    const outcomes = answers.filter(
      (outcome) => outcome.ok || !(options.ifNotExists && outcome.error.code === 'TOPIC_ALREADY_EXISTS'),
    );
    report(outcomes, options, ['name', 'id', 'partitions', 'replicationFactor'], (topic) => {
      const { name, id, partitions: count, replicationFactor: replicas } = topic;
      return { name, id, partitions: count, replicationFactor: replicas };
    });
  });
}

/** `1:2,2:3`: partitions with commas between, their brokers with colons, as Kafka's tool takes it. */
function assignmentsOf(text: string): number[][] {
  const option = '--replica-assignment';
  const assignments = text.split(',').map((list) => list.split(':').map((id) => wholeNumber(option, id)));
  const double = assignments.find((ids) => new Set(ids).size !== ids.length);
  if (double !== undefined) throw invalid(option, text, `${double.join(':')} names a broker twice`);
  if (assignments.every(({ length }) => length === assignments[0]!.length)) return assignments;
  throw invalid(option, text, 'give every partition as many replicas');
}

export async function alterTopic(name: string, options: AlterOptions): Promise<void> {
  const set = Object.fromEntries(options.config.map((text) => keyAndValue('--config', text)));
  const changesConfigs = options.config.length > 0 || options.reset.length > 0;
  if (!changesConfigs && options.partitions === undefined) {
    throw new SluiceError('INVALID_ARGUMENT', 'nothing to change: give --partitions, --config or --reset');
  }
  const both = options.reset.find((key) => Object.hasOwn(set, key));
  if (both !== undefined) throw new SluiceError('INVALID_ARGUMENT', `${both} cannot be set and reset at once`);
  await withAdmin(options, async (admin) => {
    const rows: Outcome<Change>[] = [];
    if (options.partitions !== undefined) {
      const count = wholeNumber('--partitions', options.partitions, 1);
      const [outcome] = await admin.createPartitions([{ name, count }]);
      rows.push(changed(outcome!, { name, change: 'partitions', value: count }));
    }
    if (changesConfigs) {
      await refuseUnknown(admin, { type: 'topic', name }, options.reset);
      const [outcome] = await admin.alterConfigs([{ type: 'topic', name, set, remove: options.reset }]);
      const changes: Change[] = [
        ...Object.entries(set).map(([key, value]) => ({ name, change: key, value })),
        ...options.reset.map((key) => ({ name, change: key, value: null })),
      ];
      // All of them or none: a refusal is told once.
      rows.push(...changes.slice(0, outcome!.ok ? changes.length : 1).map((change) => changed(outcome!, change)));
    }
    report(rows, options, ['name', 'change', 'value'], ({ name, change, value }) => ({ name, change, value }));
  });
}

export async function deleteTopics(
  names: readonly string[],
  options: TopicsOptions & { readonly yes: boolean; readonly ifExists: boolean },
): Promise<void> {
  await confirm(`Delete ${names.join(', ')} with all records?`, options);
  await withAdmin(options, async (admin) => {
    const outcomes = (await admin.deleteTopics(names)).filter(
      (outcome) => outcome.ok || !(options.ifExists && outcome.error.code === 'UNKNOWN_TOPIC_OR_PARTITION'),
    );
    report(outcomes, options, ['name', 'deleted'], ({ name }) => ({ name, deleted: true }));
  });
}

async function withAdmin(options: TopicsOptions, work: (admin: Admin) => Promise<void>): Promise<void> {
  await using cluster = await openCluster(options, 'sluice-topics');
  await work(new Admin(cluster));
}

interface Change {
  readonly name: string;
  readonly change: string;
  readonly value: string | number | null;
}

/** The outcome of an operation as that of one of the changes it stood for. */
function changed(outcome: Outcome<object>, change: Change): Outcome<Change> {
  return outcome.ok ? { ...change, ok: true } : { ...change, ok: false, error: outcome.error };
}

function report<T>(
  outcomes: readonly Outcome<T>[],
  options: TopicsOptions,
  columns: readonly string[],
  rowOf: (value: T) => Row,
): void {
  const rows = outcomes.flatMap((outcome) => (outcome.ok ? [rowOf(outcome)] : []));
  if (rows.length > 0 || options.json) printRows(rows, { json: options.json, columns });
  for (const outcome of outcomes) {
    if (!outcome.ok) fail(outcome.error);
  }
}
