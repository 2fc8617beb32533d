/**
 * What every command prints with --json: a stable interface. docs/cli.md is written from it, and the tests hold what
 * commands print against it. Fields are only ever added.
 */

/** `string?` may be null. An array has elements of its one shape; an object has exactly these fields, `name?` may be absent. */
export type Shape =
  | 'string'
  | 'number'
  | 'boolean'
  | 'any'
  | 'string?'
  | 'number?'
  | 'text'
  | readonly [Shape]
  | Alternatives
  | { readonly [field: string]: Shape };

/** Objects that are told apart by the value of `type`, with their other fields by that value. */
export class Alternatives {
  readonly byType: Readonly<Record<string, Readonly<Record<string, Shape>>>>;

  /** `common` are fields that all of them have besides. */
  constructor(byType: Alternatives['byType'], common: Readonly<Record<string, Shape>> = {}) {
    this.byType = Object.fromEntries(Object.entries(byType).map(([type, fields]) => [type, { ...common, ...fields }]));
  }
}

export interface JsonOutput {
  /** One value, or one object a line as things happen. */
  readonly kind: 'value' | 'lines';
  readonly shape: Shape;
}

const value = (shape: Shape): JsonOutput => ({ kind: 'value', shape });
const lines = (shape: Shape): JsonOutput => ({ kind: 'lines', shape });

const GROUP_LAG = {
  group: 'string',
  topic: 'string',
  partition: 'number',
  currentOffset: 'number?',
  logEndOffset: 'number?',
  lag: 'number?',
  consumerId: 'string?',
  host: 'string?',
  clientId: 'string?',
} as const;

const LATENCY = {
  avg: 'number',
  max: 'number',
  p50: 'number',
  p90: 'number',
  p95: 'number',
  p99: 'number',
  p999: 'number',
  p9999: 'number',
} as const;

const THROUGHPUT = {
  topic: 'string',
  records: 'number',
  bytes: 'number',
  seconds: 'number',
  recordsPerSecond: 'number',
  mibPerSecond: 'number',
} as const;

const MOVES = {
  moves: [{ topic: 'string', partition: 'number', replicas: ['number'], target: ['number'], bytes: 'number' }],
  bytes: 'number',
} as const;

const CONFIG = { name: 'string', value: 'string?', source: 'string' } as const;

/** Partitions that `topics describe` chooses. */
const partitionLists = Object.fromEntries(
  ['under-replicated', 'unavailable', 'under-min-isr', 'at-min-isr'].map((flag) => [
    `topics describe --${flag}`,
    value([{ topic: 'string', partition: 'number', leader: 'number', replicas: ['number'], inSync: ['number'] }]),
  ]),
);

const PARTITION_OFFSET = { topic: 'string', partition: 'number', offset: 'number' } as const;
const PLACE = { offset: 'number', timestamp: 'number' } as const;

/** What files of a data directory hold; text that is no UTF-8 is `base64:...`. */
const DUMPED = {
  batch: {
    baseOffset: 'number',
    lastOffset: 'number',
    count: 'number',
    position: 'number',
    bytes: 'number',
    leaderEpoch: 'number',
    codec: 'string',
    timestampType: 'string',
    baseTimestamp: 'number',
    maxTimestamp: 'number',
    producerId: 'number',
    producerEpoch: 'number',
    baseSequence: 'number',
    transactional: 'boolean',
    control: 'boolean',
    crc: 'number',
    valid: 'boolean',
  },
  record: { ...PLACE, key: 'string?', value: 'string?', headers: [['any']] },
  control: { ...PLACE, kind: 'any', 'coordinatorEpoch?': 'number' },
  metadata: { ...PLACE, kind: 'string', version: 'number', value: 'any' },
  invalid: { position: 'number', bytes: 'number' },
  offset: { offset: 'number', position: 'number' },
  timestamp: { timestamp: 'number', offset: 'number' },
  aborted: {
    version: 'number',
    producerId: 'number',
    firstOffset: 'number',
    lastOffset: 'number',
    lastStableOffset: 'number',
  },
  producer: {
    producerId: 'number',
    epoch: 'number',
    lastSequence: 'number',
    lastOffset: 'number',
    offsetDelta: 'number',
    lastTimestamp: 'number',
    coordinatorEpoch: 'number',
    transactionStart: 'number',
  },
  epoch: { epoch: 'number', startOffset: 'number' },
  'recovery-point-offset': PARTITION_OFFSET,
  'log-start-offset': PARTITION_OFFSET,
  'replication-offset': PARTITION_OFFSET,
  'cleaner-offset': PARTITION_OFFSET,
  identity: { 'clusterId?': 'string', 'nodeId?': 'number', 'directoryId?': 'string' },
  partition: { 'topicId?': 'string' },
  line: { text: 'string' },
} as const;

const VERIFIED = {
  finding: {
    severity: 'string',
    path: 'string',
    'position?': 'number',
    'offset?': 'number',
    problem: 'string',
    recovery: 'string',
  },
  summary: {
    directory: 'string',
    partitions: 'number',
    segments: 'number',
    batches: 'number',
    bytes: 'number',
    findings: { error: 'number', warning: 'number', note: 'number' },
    seconds: 'number',
  },
} as const;

/** By the words of the command. */
export const JSON_OUTPUT: Readonly<Record<string, JsonOutput>> = {
  produce: value({
    topic: 'string',
    records: 'number',
    bytes: 'number',
    seconds: 'number',
    recordsPerSecond: 'number',
  }),
  'produce --report': lines({ topic: 'string', partition: 'number', offset: 'number', timestamp: 'number' }),
  consume: lines({
    topic: 'string',
    partition: 'number',
    offset: 'number',
    timestamp: 'number',
    key: 'text',
    value: 'text',
    headers: [{ key: 'string', value: 'text' }],
  }),
  'topics create': value([{ name: 'string', id: 'string', partitions: 'number', replicationFactor: 'number' }]),
  'topics list': value([{ name: 'string', id: 'string', partitions: 'number', replicas: 'number' }]),
  'topics describe': value([
    {
      name: 'string',
      id: 'string',
      partitions: [
        {
          partition: 'number',
          leader: 'number',
          leaderEpoch: 'number',
          replicas: ['number'],
          inSync: ['number'],
          startOffset: 'number?',
          endOffset: 'number?',
        },
      ],
      configs: [CONFIG],
    },
  ]),
  ...partitionLists,
  'topics offsets': value([{ topic: 'string', partition: 'number', offset: 'number?', timestamp: 'number?' }]),
  'topics producers': value([
    {
      topic: 'string',
      partition: 'number',
      producerId: 'number',
      producerEpoch: 'number',
      lastSequence: 'number',
      lastTimestamp: 'number',
      coordinatorEpoch: 'number',
      transactionStart: 'number?',
    },
  ]),
  'topics delete-records': value([{ topic: 'string', partition: 'number', startOffset: 'number' }]),
  'topics alter': value([{ name: 'string', change: 'string', value: 'any' }]),
  'topics delete': value([{ name: 'string', deleted: 'boolean' }]),
  'groups list': value([{ group: 'string', type: 'string', state: 'string', protocolType: 'string' }]),
  'groups describe': value([GROUP_LAG]),
  'groups describe --watch': lines({ time: 'number', groups: [GROUP_LAG] }),
  'groups describe --members': value([
    {
      group: 'string',
      consumerId: 'string',
      instanceId: 'string?',
      host: 'string',
      clientId: 'string',
      partitions: 'number',
      assignment: 'string?',
    },
  ]),
  'groups describe --state': value([
    {
      group: 'string',
      type: 'string',
      state: 'string',
      coordinator: 'number',
      assignor: 'string?',
      members: 'number',
    },
  ]),
  'groups reset-offsets': value([
    { group: 'string', topic: 'string', partition: 'number', currentOffset: 'number?', newOffset: 'number' },
  ]),
  'groups delete': value([{ group: 'string', deleted: 'boolean' }]),
  'groups delete-offsets': value([{ group: 'string', topic: 'string', partition: 'number', currentOffset: 'number' }]),
  'config describe': value([
    {
      type: 'string',
      name: 'string',
      configs: [
        {
          ...CONFIG,
          readOnly: 'boolean',
          sensitive: 'boolean',
          type: 'string',
          'synonyms?': [{ name: 'string', value: 'string?', source: 'string' }],
        },
      ],
    },
  ]),
  'config alter': value([{ type: 'string', name: 'string', config: 'string', change: 'string', value: 'string?' }]),
  'config list': value([{ type: 'string', name: 'string' }]),
  'config explain': value([
    { name: 'string', value: 'string?', source: 'string', origin: 'string?', effect: 'string' },
  ]),
  'cluster describe': value({
    clusterId: 'string',
    controllerId: 'number',
    'obstacle?': 'string',
    quorum: { kind: 'string', 'connect?': 'string', 'ensemble?': ['any'] },
    partitions: { total: 'number', underReplicated: 'number', underMinInSync: 'number', leaderless: 'number' },
    brokers: [
      {
        broker: 'number',
        host: 'string?',
        port: 'number?',
        rack: 'string?',
        state: 'string',
        replicas: 'number',
        leaders: 'number',
        preferred: 'number',
      },
    ],
  }),
  'cluster rebalance': value(MOVES),
  'cluster rebalance --cancel': value([{ topic: 'string', partition: 'number', cancelled: 'boolean' }]),
  'cluster drain': value(MOVES),
  'cluster reassign': value(MOVES),
  'cluster reassignments': value([
    { topic: 'string', partition: 'number', replicas: ['number'], adding: ['number'], removing: ['number'] },
  ]),
  'cluster move-log-dirs': value([
    { broker: 'number', topic: 'string', partition: 'number', from: 'string', to: 'string', bytes: 'number' },
  ]),
  'cluster log-dirs': value([
    {
      broker: 'number',
      path: 'string',
      totalBytes: 'number?',
      usableBytes: 'number?',
      cordoned: 'boolean',
      replicas: [{ topic: 'string', partition: 'number', bytes: 'number', offsetLag: 'number', future: 'boolean' }],
    },
  ]),
  'cluster api-versions': value([{ broker: 'number', key: 'number', api: 'string', from: 'number', to: 'number' }]),
  'cluster features': value([{ feature: 'string', level: 'number', supportedFrom: 'number', supportedTo: 'number' }]),
  'cluster elect-leaders': value([{ topic: 'string', partition: 'number', elected: 'boolean' }]),
  'cluster unregister': value([{ broker: 'number', unregistered: 'boolean' }]),
  'perf produce': value({ ...THROUGHPUT, latencyMs: LATENCY }),
  'perf consume': value({ ...THROUGHPUT, mib: 'number', joinMs: 'number' }),
  'perf latency': value({ topic: 'string', records: 'number', latencyMs: LATENCY }),
  start: lines({ ready: 'boolean', addresses: ['string'], dataDirectories: ['string'], readyMs: 'number' }),
  doctor: value({
    errors: 'number',
    warnings: 'number',
    findings: [{ check: 'string', severity: 'string', message: 'string', remedy: 'string?', broker: 'number?' }],
  }),
  'log dump': lines(new Alternatives(DUMPED, { file: 'string' })),
  'log verify': lines(new Alternatives(VERIFIED)),
  'profile create': value([{ name: 'string', brokers: 'string', current: 'boolean' }]),
  'profile use': value([{ name: 'string', brokers: 'string', current: 'boolean' }]),
  'profile list': value([{ name: 'string', brokers: 'string', current: 'boolean' }]),
  'profile delete': value([{ name: 'string', deleted: 'boolean' }]),
};

/** What is wrong with a value, by its path; undefined where it has the shape. */
export function mismatch(found: unknown, shape: Shape, path = '$'): string | undefined {
  if (typeof shape === 'string') return isOfKind(found, shape) ? undefined : `${path} is no ${shape}`;
  if (Array.isArray(shape)) {
    if (!Array.isArray(found)) return `${path} is no array`;
    const [element] = shape as readonly [Shape];
    for (const [index, each] of found.entries()) {
      const wrong = mismatch(each, element, `${path}[${index}]`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return `${path} is no object`;
  if (shape instanceof Alternatives) {
    const { type } = found as { readonly type?: unknown };
    const fields = shape.byType[String(type)];
    return fields === undefined
      ? `${path}.type ${type} is not declared`
      : mismatch(found, { type: 'string', ...fields }, path);
  }
  const fields = new Map(Object.entries(shape).map(([name, each]) => [name.replace(/\?$/, ''), each] as const));
  for (const name of Object.keys(found)) if (!fields.has(name)) return `${path}.${name} is not declared`;
  for (const [name, each] of fields) {
    const inner = (found as Readonly<Record<string, unknown>>)[name];
    if (inner === undefined && `${name}?` in shape) continue;
    const wrong = mismatch(inner, each, `${path}.${name}`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function isOfKind(found: unknown, kind: string): boolean {
  switch (kind) {
    case 'any':
      return found !== undefined;
    case 'text':
      return found === null || typeof found === 'string' || mismatch(found, { base64: 'string' }) === undefined;
    case 'string?':
      return found === null || typeof found === 'string';
    case 'number?':
      return found === null || typeof found === 'number';
    default:
      return typeof found === kind;
  }
}

/** The shape as one line, for people. */
export function formatShape(shape: Shape): string {
  if (typeof shape === 'string') {
    const names: Readonly<Record<string, string>> = {
      'string?': 'string or null',
      'number?': 'number or null',
      text: 'string, null or {"base64": string}',
    };
    return names[shape] ?? shape;
  }
  if (Array.isArray(shape)) return `[${formatShape((shape as readonly [Shape])[0])}]`;
  if (shape instanceof Alternatives) {
    const each = Object.entries(shape.byType).map(([type, fields]) =>
      formatShape({ type: `"${type}"` as Shape, ...fields }),
    );
    return each.join(' or ');
  }
  const fields = Object.entries(shape).map(([name, each]) => `${name}: ${formatShape(each)}`);
  return `{${fields.join(', ')}}`;
}
