import { api, array, bool, type Decoded, type Encodable, int8, int16, int32, message, string } from '../schema.ts';

const request = message('IncrementalAlterConfigsRequest', '0-1', '1+', {
  resources: array('0+', {
    resourceType: int8('0+'),
    resourceName: string('0+'),
    configs: array('0+', {
      name: string('0+'),
      configOperation: int8('0+'),
      value: string('0+', { nullable: '0+' }),
    }),
  }),
  validateOnly: bool('0+'),
});

const response = message('IncrementalAlterConfigsResponse', '0-1', '1+', {
  throttleTimeMs: int32('0+'),
  responses: array('0+', {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    resourceType: int8('0+'),
    resourceName: string('0+'),
  }),
});

export const incrementalAlterConfigs = api({ key: 44, name: 'IncrementalAlterConfigs', request, response });

export type IncrementalAlterConfigsRequest = Decoded<typeof request>;
export type IncrementalAlterConfigsResponse = Encodable<typeof response>;
