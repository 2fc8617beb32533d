/** DescribeConfigs (32), versions 1-4: values of topics, groups and this broker, with their sources, synonyms and documentation. */
import {
  describeBrokerConfigs,
  describeClusterDefaults,
  describeGroupConfigs,
  describeTopicConfigs,
} from '../../config/describe.ts';
import { topicNameProblem } from '../../controller/topic-names.ts';
import { configsOf, RESOURCE_TYPE, topicConfigsOf } from '../../metadata/image.ts';
import {
  type DescribeConfigsRequest,
  type DescribeConfigsResponse,
  describeConfigs,
} from '../../protocol/apis/describe-configs.ts';
import { type ErrorCode as Code, ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type Resource = DescribeConfigsRequest['resources'][number];
type Result = DescribeConfigsResponse['results'][number];

export const handleDescribeConfigs = (services: BrokerServices) =>
  handler(describeConfigs, (request): DescribeConfigsResponse => {
    const wanted = { includeSynonyms: request.includeSynonyms, includeDocumentation: request.includeDocumentation };
    const described = new Set<string>();
    return {
      results: request.resources.map((resource): Result => {
        // Once for each: a small request must not make an answer of any size.
        const key = `${resource.resourceType}/${resource.resourceName}`;
        if (described.has(key)) return failure(resource, ErrorCode.INVALID_REQUEST, 'the resource stands twice');
        described.add(key);
        const options = { ...wanted, names: resource.configurationKeys };
        switch (resource.resourceType) {
          case RESOURCE_TYPE.TOPIC:
            return describeTopic(resource, options, services);
          case RESOURCE_TYPE.BROKER:
            return describeBroker(resource, options, services);
          case RESOURCE_TYPE.GROUP:
            return describeGroup(resource, options, services);
          default:
            return failure(resource, ErrorCode.INVALID_REQUEST, 'only topics, brokers and groups have configs here');
        }
      }),
    };
  });

type Options = Parameters<typeof describeTopicConfigs>[2];

function describeTopic(resource: Resource, options: Options, services: BrokerServices): Result {
  const image = services.quorum.image();
  const problem = topicNameProblem(resource.resourceName);
  if (problem !== undefined) return failure(resource, ErrorCode.INVALID_TOPIC_EXCEPTION, problem);
  if (!image.topics.byName.has(resource.resourceName)) {
    return failure(resource, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'there is no such topic');
  }
  const overrides = topicConfigsOf(image, resource.resourceName);
  return success(resource, describeTopicConfigs(services.config(), overrides, options));
}

/** An empty name asks for the values that hold for all brokers of the cluster. */
function describeBroker(resource: Resource, options: Options, services: BrokerServices): Result {
  const { resourceName } = resource;
  if (resourceName === '') return success(resource, describeClusterDefaults(services.config(), options));
  if (resourceName !== String(services.brokerId)) {
    const why = `ask the broker itself: this is broker ${services.brokerId}, not ${resourceName}`;
    return failure(resource, ErrorCode.INVALID_REQUEST, why);
  }
  return success(resource, describeBrokerConfigs(services.config(), options));
}

/** A group need not exist to have configs. */
function describeGroup(resource: Resource, options: Options, services: BrokerServices): Result {
  const { resourceName } = resource;
  if (resourceName === '') return failure(resource, ErrorCode.INVALID_REQUEST, 'a group must be named');
  const overrides = configsOf(services.quorum.image(), RESOURCE_TYPE.GROUP, resourceName);
  return success(resource, describeGroupConfigs(services.config(), overrides, options));
}

function success(resource: Resource, configs: Result['configs']): Result {
  // Kafka says nothing by an empty message here, by null everywhere else.
  return { ...identity(resource), errorCode: ErrorCode.NONE, errorMessage: '', configs };
}

function failure(resource: Resource, errorCode: Code, errorMessage: string): Result {
  return { ...identity(resource), errorCode, errorMessage, configs: [] };
}

function identity(resource: Resource): { readonly resourceType: number; readonly resourceName: string } {
  return { resourceType: resource.resourceType, resourceName: resource.resourceName };
}
