import { api, array, type Decoded, type Encodable, int8, int16, int32, message, string } from '../schema.ts';

const request = message('ListConfigResourcesRequest', '0-1', '0+', {
  resourceTypes: array('1+', int8('0+')),
});

const response = message('ListConfigResourcesResponse', '0-1', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  configResources: array('0+', {
    resourceName: string('0+'),
    resourceType: int8('1+', { default: 16, ignorable: true }),
  }),
});

export const listConfigResources = api({ key: 74, name: 'ListConfigResources', request, response });

export type ListConfigResourcesRequest = Decoded<typeof request>;
export type ListConfigResourcesResponse = Encodable<typeof response>;
