import { api, array, bool, type Decoded, type Encodable, int8, int16, int32, message, string } from '../schema.ts';

const request = message('AlterConfigsRequest', '0-2', '2+', {
  resources: array('0+', {
    resourceType: int8('0+'),
    resourceName: string('0+'),
    configs: array('0+', {
      name: string('0+'),
      value: string('0+', { nullable: '0+' }),
    }),
  }),
  validateOnly: bool('0+'),
});

const response = message('AlterConfigsResponse', '0-2', '2+', {
  throttleTimeMs: int32('0+'),
  responses: array('0+', {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    resourceType: int8('0+'),
    resourceName: string('0+'),
  }),
});

export const alterConfigs = api({ key: 33, name: 'AlterConfigs', request, response });

export type AlterConfigsRequest = Decoded<typeof request>;
export type AlterConfigsResponse = Encodable<typeof response>;
