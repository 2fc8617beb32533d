/** Changes to the dynamic configs of topics and brokers, decided on an image. */
import { type AlterResult, type AlterTarget, alterIncrementally, alterWholly } from '../config/alter.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { configsOf, type MetadataImage, RESOURCE_TYPE } from '../metadata/image.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';
import type { AlterConfigsRequest, AlterConfigsResponse } from '../protocol/apis/alter-configs.ts';
import type { IncrementalAlterConfigsRequest } from '../protocol/apis/incremental-alter-configs.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { clearEligibleRecords, lostMinInSync } from './eligible-leaders.ts';
import { keepsEligibleLeaders } from './partition-rules.ts';
import type { Decision } from './pending-image.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';
import { repeated } from './repeated.ts';
import { topicNameProblem } from './topic-names.ts';

interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
}

/** Sets the configs of resources to what the request says and nothing else. */
export function alterConfigs(
  image: MetadataImage,
  request: AlterConfigsRequest,
  config: BrokerConfig,
): Decision<AlterConfigsResponse> {
  return alterEach(image, request, config, (target, current, resource) =>
    alterWholly(target, current, resource.configs),
  );
}

/** Changes single configs of resources. */
export function incrementalAlterConfigs(
  image: MetadataImage,
  request: IncrementalAlterConfigsRequest,
  config: BrokerConfig,
): Decision<AlterConfigsResponse> {
  return alterEach(image, request, config, (target, current, resource) =>
    alterIncrementally(
      target,
      current,
      resource.configs.map(({ name, configOperation, value }) => ({ name, operation: configOperation, value })),
    ),
  );
}

export function alterConfigsRefused(
  request: { readonly resources: readonly Resource[] },
  refusal: Refusal,
): AlterConfigsResponse {
  return { responses: request.resources.map((resource) => ({ ...identity(resource), ...refusal })) };
}

/** Each resource changes as a whole or not at all, whatever becomes of the others. */
function alterEach<R extends Resource>(
  image: MetadataImage,
  request: { readonly resources: readonly R[]; readonly validateOnly: boolean },
  config: BrokerConfig,
  alter: (target: AlterTarget, current: ReadonlyMap<string, string>, resource: R) => AlterResult,
): Decision<AlterConfigsResponse> {
  const records: MetadataRecord[] = [];
  const twice = repeated(request.resources.map(keyOf));
  const responses = request.resources.map((resource) => {
    const target = twice.has(keyOf(resource))
      ? refuse(ErrorCode.INVALID_REQUEST, 'Each resource must appear at most once.')
      : targetOf(image, resource, config);
    if (isRefusal(target)) return { ...identity(resource), ...target };
    const current = configsOf(image, resource.resourceType, resource.resourceName);
    const result = alter(target, current, resource);
    if (!result.ok) return { ...identity(resource), ...refuse(ErrorCode[result.error], result.message) };
    const lost = keepsEligibleLeaders(image) ? lostMinInSync(resource, result.changes) : undefined;
    if (lost !== undefined) return { ...identity(resource), ...lost };
    records.push(...result.changes.map((change) => newRecord('config', { ...identity(resource), ...change })));
    return { ...identity(resource), errorCode: ErrorCode.NONE, errorMessage: null };
  });
  records.push(...clearEligibleRecords(image, records));
  return { records: request.validateOnly ? [] : records, result: { responses } };
}

function identity({ resourceType, resourceName }: Resource): Resource {
  return { resourceType, resourceName };
}

const keyOf = ({ resourceType, resourceName }: Resource): string => `${resourceType}/${resourceName}`;

function targetOf(
  image: MetadataImage,
  { resourceType, resourceName }: Resource,
  config: BrokerConfig,
): AlterTarget | Refusal {
  if (resourceType === RESOURCE_TYPE.TOPIC) {
    if (resourceName === '') return refuse(ErrorCode.INVALID_REQUEST, 'Topics have no shared configs to change.');
    const problem = topicNameProblem(resourceName);
    if (problem !== undefined) return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, problem);
    if (image.topics.byName.has(resourceName)) return { kind: 'topic', broker: config };
    return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${resourceName}' does not exist.`);
  }
  if (resourceType === RESOURCE_TYPE.BROKER) {
    if (resourceName === '') return { kind: 'broker', id: undefined, broker: config };
    if (!/^\d{1,10}$/.test(resourceName)) {
      return refuse(ErrorCode.INVALID_REQUEST, `The broker id must be a whole number, but it is: ${resourceName}`);
    }
    const id = Number(resourceName);
    if (image.brokers.has(id)) return { kind: 'broker', id, broker: config };
    return refuse(ErrorCode.INVALID_REQUEST, `There is no broker with id ${id}.`);
  }
  if (resourceType === RESOURCE_TYPE.GROUP) {
    // Groups come and go without the controller's knowledge: one may have configs before it has members.
    if (resourceName !== '') return { kind: 'group', broker: config };
    return refuse(ErrorCode.INVALID_REQUEST, 'Groups have no shared configs to change.');
  }
  return refuse(ErrorCode.INVALID_REQUEST, `Resources of type ${resourceType} have no configs that can be changed.`);
}
