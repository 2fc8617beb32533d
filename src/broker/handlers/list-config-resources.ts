/** ListConfigResources (74), versions 0-1: what has a configuration; version 0 asks for client metrics alone. */
import { type MetadataImage, RESOURCE_TYPE, resourceOfConfigKey } from '../../metadata/image.ts';
import { type ListConfigResourcesResponse, listConfigResources } from '../../protocol/apis/list-config-resources.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { brokersOf } from '../cluster-view.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

/** A broker's log levels are a resource on the wire, though no record is ever stored for it. */
const BROKER_LOGGER = 8;
const ANY_TYPE = [...Object.values(RESOURCE_TYPE), BROKER_LOGGER];

/** Version 1 was told to list anything; before, there were only client metrics. */
const ANY_TYPE_SINCE = 1;

export const handleListConfigResources = (services: BrokerServices) =>
  handler(listConfigResources, (request, context): ListConfigResourcesResponse => {
    const supported: readonly number[] =
      context.header.apiVersion >= ANY_TYPE_SINCE ? ANY_TYPE : [RESOURCE_TYPE.CLIENT_METRICS];
    const asked = request.resourceTypes.length === 0 ? supported : [...new Set(request.resourceTypes)];
    if (asked.some((type) => !supported.includes(type))) {
      return { errorCode: ErrorCode.UNSUPPORTED_VERSION, configResources: [] };
    }
    const brokerIds = brokersOf(services.quorum.image(), context.connection.listenerName).map(({ id }) => String(id));
    const names = (type: number): readonly string[] => {
      // Of groups those that have configs of their own: others are known to their coordinators alone.
      if (type === RESOURCE_TYPE.GROUP) return configuredGroups(services.quorum.image());
      if (type === RESOURCE_TYPE.TOPIC) return [...services.quorum.image().topics.byName.keys()];
      return type === RESOURCE_TYPE.BROKER || type === BROKER_LOGGER ? brokerIds : [];
    };
    return {
      configResources: asked.flatMap((resourceType) =>
        names(resourceType).map((resourceName) => ({ resourceName, resourceType })),
      ),
    };
  });

function configuredGroups(image: MetadataImage): string[] {
  const resources = [...image.configs.keys()].map(resourceOfConfigKey);
  return resources
    .filter(({ resourceType }) => resourceType === RESOURCE_TYPE.GROUP)
    .map(({ resourceName }) => resourceName);
}
