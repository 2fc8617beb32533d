/** What a config belongs to. */

/** ConfigRecord.resourceType (org.apache.kafka.common.config.ConfigResource). */
export const RESOURCE_TYPE = { TOPIC: 2, BROKER: 4, CLIENT_METRICS: 16, GROUP: 32 } as const;

/** Where a resource's configs stand in `MetadataImage.configs`. */
export function configKey(resourceType: number, resourceName: string): string {
  return `${resourceType}:${resourceName}`;
}

/** The resource of a `configKey`. */
export function resourceOfConfigKey(key: string): { readonly resourceType: number; readonly resourceName: string } {
  const colon = key.indexOf(':');
  return { resourceType: Number(key.slice(0, colon)), resourceName: key.slice(colon + 1) };
}
