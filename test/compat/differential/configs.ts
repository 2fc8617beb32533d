/** Configurations: described, altered as a whole and one by one, listed. */
import { alterConfigs } from '../../../src/protocol/apis/alter-configs.ts';
import { describeConfigs } from '../../../src/protocol/apis/describe-configs.ts';
import { incrementalAlterConfigs } from '../../../src/protocol/apis/incremental-alter-configs.ts';
import { listConfigResources } from '../../../src/protocol/apis/list-config-resources.ts';
import type { Body } from '../../support/wire.ts';
import type { Pair } from '../harness/differential/pair.ts';
import type { Scenarios } from '../harness/differential/scenarios.ts';

const TOPIC = 2;
const BROKER = 4;
const BROKER_LOGGER = 8;
const CLIENT_METRICS = 16;
const GROUP = 32;
const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;
/** Kafka leaves some wrong requests unanswered. */
const PATIENCE_MS = 600;

const resource = (
  resourceType: number,
  resourceName: string,
  configurationKeys: readonly string[] | null = null,
): Body => ({
  resourceType,
  resourceName,
  configurationKeys,
});

async function describeTopics(pair: Pair): Promise<void> {
  await pair.createTopics(
    { name: 'described' },
    {
      name: 'described-with',
      configs: {
        'retention.ms': ' 5 ',
        preallocate: 'TRUE',
        'cleanup.policy': 'compact, delete',
        'min.cleanable.dirty.ratio': '1',
      },
    },
  );
  for (const [includeSynonyms, includeDocumentation] of [
    [false, false],
    [true, false],
    [false, true],
  ]) {
    await pair.askAll('topics', describeConfigs, {
      resources: [resource(TOPIC, 'described'), resource(TOPIC, 'described-with')],
      includeSynonyms,
      includeDocumentation,
    });
  }
  const keys = ['retention.ms', 'no.such', 'log.retention.ms', 'segment.bytes', 'segment.bytes'];
  await pair.askAll('some keys', describeConfigs, {
    resources: [resource(TOPIC, 'described', keys)],
    includeSynonyms: true,
  });
  await pair.ask('no keys', describeConfigs, 4, { resources: [resource(TOPIC, 'described', [])] });
  const ask = (what: string, ...resources: readonly Body[]) => pair.ask(what, describeConfigs, 4, { resources });
  await ask('unknown topic', resource(TOPIC, 'described-none'));
  await ask('invalid topic', resource(TOPIC, 'a b'));
  await ask('empty topic', resource(TOPIC, ''));
  await ask('twice', resource(TOPIC, 'described', ['retention.ms']), resource(TOPIC, 'described', ['segment.ms']));
  await ask('unknown type', resource(99, 'x'));
  await ask('type 0', resource(0, 'x'));
  await ask('nothing');
}

/** Values of the two differ by what they are; which options there are, and of which kind, must not. */
async function describeBrokers(pair: Pair): Promise<void> {
  const kinds = ({ results }: Body): unknown =>
    (results as Body[]).map((result) => ({
      ...result,
      configs: (result['configs'] as Body[]).map(({ name, readOnly, isSensitive, configType }) => ({
        name,
        readOnly,
        isSensitive,
        configType,
      })),
    }));
  await pair.ask('this broker', describeConfigs, 4, { resources: [resource(BROKER, '1')] }, { pick: kinds });
  await pair.ask('all brokers', describeConfigs, 4, { resources: [resource(BROKER, '')], includeSynonyms: true });
  const keys = [
    'log.retention.ms',
    'log.retention.hours',
    'num.partitions',
    'message.max.bytes',
    'log.cleanup.policy',
    'no.such',
    'node.id',
    'background.threads',
  ];
  await pair.askAll('some keys', describeConfigs, { resources: [resource(BROKER, '1', keys)], includeSynonyms: true });
  const ask = (what: string, name: string, type = BROKER) =>
    pair.ask(what, describeConfigs, 4, { resources: [resource(type, name, ['num.partitions'])] });
  await ask('another broker', '7');
  await ask('no number', 'one');
  await ask('a negative number', '-1');
  await ask('loggers of another broker', '7', BROKER_LOGGER);
  await ask('client metrics', 'some', CLIENT_METRICS);
  await ask('a group', 'some', GROUP);
}

const alteration = (
  resourceType: number,
  resourceName: string,
  configs: readonly (readonly [string, string | null])[],
): Body => ({
  resourceType,
  resourceName,
  configs: configs.map(([name, value]) => ({ name, value })),
});

async function told(pair: Pair, what: string, resources: readonly Body[]): Promise<void> {
  // What was decided reaches Kafka's broker a moment later.
  await new Promise((resolve) => setTimeout(resolve, 30));
  const dynamic = ({ results }: Body): unknown =>
    (results as Body[]).map(({ configs, ...rest }) => ({
      ...rest,
      configs: (configs as Body[]).filter(
        ({ configSource, name }) => Number(configSource) < 4 && name !== 'min.insync.replicas',
      ),
    }));
  await pair.ask(`${what}, afterwards`, describeConfigs, 4, { resources, includeSynonyms: true }, { pick: dynamic });
}

async function alterWholly(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'altered', configs: { 'retention.ms': '1000', 'segment.ms': '2000' } });
  const topic = [resource(TOPIC, 'altered')];
  for (const version of [0, 1, 2]) {
    const ask = (what: string, resources: readonly Body[], validateOnly = false) =>
      pair.ask(what, alterConfigs, version, { resources, validateOnly }, { timeoutMs: PATIENCE_MS });
    await ask('only validated', [alteration(TOPIC, 'altered', [['retention.ms', '7']])], true);
    await told(pair, 'only validated', topic);
    await ask('set', [alteration(TOPIC, 'altered', [['max.message.bytes', `100${version}`]])]);
    await told(pair, 'set', topic);
    await ask('null', [alteration(TOPIC, 'altered', [['max.message.bytes', null]])]);
    await ask('invalid', [alteration(TOPIC, 'altered', [['max.message.bytes', 'x']])]);
    await ask('unknown key', [alteration(TOPIC, 'altered', [['no.such', 'x']])]);
    await ask('unknown topic', [alteration(TOPIC, 'altered-none', [['retention.ms', '7']])]);
    await ask('invalid topic', [alteration(TOPIC, 'a b', [['retention.ms', '7']])]);
    await ask('a key twice', [
      alteration(TOPIC, 'altered', [
        ['retention.ms', '7'],
        ['retention.ms', '8'],
      ]),
    ]);
    await ask('unknown type', [alteration(99, 'x', [['a', 'b']])]);
    await ask('nothing', []);
    await told(pair, 'after refusals', topic);
    await ask('empty', [alteration(TOPIC, 'altered', [])]);
    await told(pair, 'empty', topic);
  }
}

const change = (name: string, configOperation: number, value: string | null = null) => ({
  name,
  configOperation,
  value,
});

async function alterTopics(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'changed' }, { name: 'changed-too' });
  const topic = [resource(TOPIC, 'changed')];
  const ask = async (what: string, configs: readonly Body[], validateOnly = false): Promise<void> => {
    const resources = [{ resourceType: TOPIC, resourceName: 'changed', configs }];
    for (const version of [0, 1]) {
      await pair.ask(what, incrementalAlterConfigs, version, { resources, validateOnly }, { timeoutMs: PATIENCE_MS });
    }
    await told(pair, what, topic);
  };
  await ask('set', [change('retention.ms', SET, '5000'), change('segment.ms', SET, '7')]);
  await ask('set what it is', [change('retention.ms', SET, '5000')]);
  await ask('only validated', [change('retention.ms', SET, '6000')], true);
  await ask('only validated and wrong', [change('retention.ms', SET, 'x')], true);
  await ask('delete', [change('segment.ms', DELETE)]);
  await ask('delete with a value', [change('segment.ms', DELETE, '3')]);
  await ask('delete what is not set', [change('flush.ms', DELETE)]);
  await ask('delete the unknown', [change('no.such', DELETE)]);
  await ask('append', [change('cleanup.policy', APPEND, 'compact')]);
  await ask('append again', [change('cleanup.policy', APPEND, 'compact')]);
  await ask('subtract', [change('cleanup.policy', SUBTRACT, 'delete')]);
  await ask('subtract what is not there', [change('cleanup.policy', SUBTRACT, 'delete')]);
  await ask('subtract all', [change('cleanup.policy', SUBTRACT, 'compact')]);
  await ask('append to nothing', [change('cleanup.policy', APPEND, 'delete,compact')]);
  await ask('append what is wrong', [change('cleanup.policy', APPEND, 'keep')]);
  await ask('append to no list', [change('retention.ms', APPEND, '1')]);
  await ask('subtract from no list', [change('retention.ms', SUBTRACT, '1')]);
  await ask('append to the unknown', [change('no.such', APPEND, '1')]);
  await ask('set null', [change('retention.ms', SET, null)]);
  await ask('append null', [change('cleanup.policy', APPEND, null)]);
  await ask('invalid', [change('retention.ms', SET, 'x')]);
  await ask('unknown', [change('no.such', SET, 'x')]);
  await ask('one good, one bad', [change('flush.ms', SET, '9'), change('retention.ms', SET, 'x')]);
  await ask('a key twice', [change('flush.ms', SET, '9'), change('flush.ms', SET, '8')]);
  await ask('nothing', []);
  await ask('empty value', [change('cleanup.policy', SET, '')]);
  await ask('throttled', [change('leader.replication.throttled.replicas', APPEND, '0:1,1:1')]);
  await ask('no longer throttled', [change('leader.replication.throttled.replicas', SUBTRACT, '0:1')]);
  const askFor = (what: string, ...resources: readonly Body[]) =>
    pair.ask(what, incrementalAlterConfigs, 1, { resources, validateOnly: false }, { timeoutMs: PATIENCE_MS });
  const of = (resourceType: number, resourceName: string): Body => ({
    resourceType,
    resourceName,
    configs: [change('retention.ms', SET, '77')],
  });
  await askFor('unknown topic', of(TOPIC, 'changed-none'));
  await askFor('invalid topic', of(TOPIC, 'a b'));
  await askFor('empty topic', of(TOPIC, ''));
  await askFor('unknown type', of(99, 'x'));
  await askFor('type 0', of(0, 'x'));
  await askFor('twice', of(TOPIC, 'changed'), of(TOPIC, 'changed'));
  await askFor('one good, one unknown', of(TOPIC, 'changed-too'), of(TOPIC, 'changed-none'));
  await told(pair, 'one good, one unknown', [resource(TOPIC, 'changed-too')]);
}

async function alterBrokers(pair: Pair): Promise<void> {
  const both = [resource(BROKER, '1'), resource(BROKER, '')];
  const ask = async (
    what: string,
    resourceName: string,
    configs: readonly Body[],
    validateOnly = false,
  ): Promise<void> => {
    const resources = [{ resourceType: BROKER, resourceName, configs }];
    await pair.ask(
      `${what} for '${resourceName}'`,
      incrementalAlterConfigs,
      1,
      { resources, validateOnly },
      { timeoutMs: PATIENCE_MS },
    );
    await told(pair, `${what} for '${resourceName}'`, both);
  };
  for (const name of ['', '1']) {
    await ask('only validated', name, [change('log.retention.ms', SET, '123456')], true);
    await ask('set', name, [change('log.retention.ms', SET, name === '' ? '1000000' : '2000000')]);
    await ask('read-only', name, [change('num.partitions', SET, '3')]);
    await ask('of one broker', name, [change('broker.id', SET, '3')]);
    await ask('listeners', name, [change('listeners', SET, 'PLAINTEXT://:1')]);
    await ask('unknown', name, [change('no.such', SET, '3')], true);
    await ask('a topic option', name, [change('retention.ms', SET, '3')], true);
    await ask('invalid', name, [change('log.retention.ms', SET, 'x')]);
    await ask('out of range', name, [change('log.cleaner.threads', SET, '-1')]);
    await ask('a list', name, [change('log.cleanup.policy', SET, 'compact')]);
    await ask('append', name, [change('log.cleanup.policy', APPEND, 'delete')]);
    await ask('subtract', name, [change('log.cleanup.policy', SUBTRACT, 'compact')]);
    await ask('max connections', name, [
      change('max.connections', SET, '500'),
      change('message.max.bytes', SET, '2000000'),
    ]);
  }
  await pair.ask('a topic under both', describeConfigs, 4, {
    resources: [resource(TOPIC, 'changed-too', ['retention.ms', 'cleanup.policy', 'max.message.bytes'])],
    includeSynonyms: true,
  });
  for (const name of ['1', '']) {
    const names = ['log.retention.ms', 'log.cleanup.policy', 'max.connections', 'message.max.bytes'];
    await ask(
      'delete all',
      name,
      names.map((each) => change(each, DELETE)),
    );
  }
  await ask('another broker', '7', [change('log.retention.ms', SET, '5')]);
  await ask('no number', 'one', [change('log.retention.ms', SET, '5')]);
}

/** Kinds of groups that Sluice does not serve have configs here as well. */
async function alterGroups(pair: Pair): Promise<void> {
  const ask = (name: string, value: string | null, operation = 0) => {
    const resources = [{ resourceType: GROUP, resourceName: 'altered', configs: [change(name, operation, value)] }];
    const body = { resources, validateOnly: false };
    return pair.askAll(`group ${name}=${value}`, incrementalAlterConfigs, body);
  };
  for (const [name, values] of [
    ['consumer.session.timeout.ms', ['45000', '44999', '60001', 'x', '5000']],
    ['consumer.heartbeat.interval.ms', ['5000', '4999', '15001']],
    ['consumer.assignment.interval.ms', ['0', '-1', '15000', '15001']],
    ['share.session.timeout.ms', ['45000', '44999', '60001', 'x']],
    ['share.heartbeat.interval.ms', ['15000', '4999', '15001']],
    ['share.record.lock.duration.ms', ['15000', '14999', '60001']],
    ['share.delivery.count.limit', ['2', '1', '11']],
    ['share.partition.max.record.locks', ['100', '99', '4001']],
    [
      'share.auto.offset.reset',
      ['earliest', 'LATEST', 'by_duration:PT5S', 'by_duration:', 'by_duration:-PT5S', 'none'],
    ],
    ['share.isolation.level', ['read_committed', 'READ_COMMITTED', 'none']],
    ['share.renew.acknowledge.enable', ['false', 'TRUE', 'perhaps']],
    ['share.assignment.interval.ms', ['0', '-1', '15001']],
    ['streams.session.timeout.ms', ['60000', '44999', '60001']],
    ['streams.heartbeat.interval.ms', ['5000', '4999', '15001']],
    ['streams.num.standby.replicas', ['2', '-1', '3']],
    ['streams.initial.rebalance.delay.ms', ['0', '-1', '2147483647', '2147483648']],
    ['streams.assignment.interval.ms', ['15000', '-1', '15001']],
    ['share.no.such', ['1']],
    ['no.such', ['1']],
    ['group.share.session.timeout.ms', ['45000']],
  ] as const) {
    for (const value of values) await ask(name, value);
  }
  await ask('share.delivery.count.limit', null, 1);
  const names = ['consumer.session.timeout.ms', 'share.session.timeout.ms', 'streams.num.standby.replicas'];
  const told = (body: Body): boolean => JSON.stringify(body).includes('read_committed');
  const whole = { resources: [resource(GROUP, 'altered', null)], includeSynonyms: true };
  await pair.settle(describeConfigs, 4, whole, told);
  await pair.askAll('an altered group', describeConfigs, whole, { from: 1 });
  await pair.ask('a group without configs', describeConfigs, 4, {
    ...whole,
    resources: [resource(GROUP, 'none', null)],
  });
  await pair.ask('some configs of a group', describeConfigs, 4, {
    ...whole,
    resources: [resource(GROUP, 'altered', names)],
  });
  const gone = { resources: [alteration(GROUP, 'altered', [])], validateOnly: false };
  await pair.askAll('a group altered wholly', alterConfigs, gone);
}

async function list(pair: Pair): Promise<void> {
  await pair.ask('of the first version', listConfigResources, 0, {});
  const pick = ({ configResources, ...rest }: Body): unknown => ({
    ...rest,
    configResources: (configResources as Body[]).filter(
      ({ resourceType, resourceName }) => resourceType !== TOPIC || String(resourceName).startsWith('changed'),
    ),
  });
  for (const resourceTypes of [
    [],
    [TOPIC],
    [BROKER],
    [BROKER_LOGGER],
    [CLIENT_METRICS],
    [GROUP],
    [TOPIC, BROKER],
    [0],
    [99],
    [TOPIC, 99],
    [-1],
    [TOPIC, TOPIC],
  ]) {
    await pair.ask(`types ${resourceTypes.join()}`, listConfigResources, 1, { resourceTypes }, { pick });
  }
}

/** Kafka's broker loses its way to its controller over these, for a while; so they come last. */
async function unanswered(pair: Pair): Promise<void> {
  const twice = [alteration(TOPIC, 'altered', [['retention.ms', '7']]), alteration(TOPIC, 'altered', [])];
  const body = { resources: twice, validateOnly: false };
  await pair.ask('a resource twice', alterConfigs, 2, body, { timeoutMs: PATIENCE_MS });
  const resources = [{ resourceType: TOPIC, resourceName: 'changed', configs: [change('flush.ms', 9, '9')] }];
  await pair.ask(
    'unknown operation',
    incrementalAlterConfigs,
    1,
    { resources, validateOnly: false },
    { timeoutMs: PATIENCE_MS },
  );
}

export const lastScenarios: Scenarios = {
  'What Kafka leaves unanswered': unanswered,
};

export const configScenarios: Scenarios = {
  'DescribeConfigs of topics': describeTopics,
  'DescribeConfigs of brokers': describeBrokers,
  'AlterConfigs replaces all values': alterWholly,
  'IncrementalAlterConfigs of topics': alterTopics,
  'IncrementalAlterConfigs of brokers': alterBrokers,
  'IncrementalAlterConfigs and DescribeConfigs of groups': alterGroups,
  ListConfigResources: list,
};
