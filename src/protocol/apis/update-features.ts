import { api, array, bool, type Decoded, type Encodable, int8, int16, int32, message, string } from '../schema.ts';

const request = message('UpdateFeaturesRequest', '0-2', '0+', {
  timeoutMs: int32('0+', { default: 60000 }),
  featureUpdates: array('0+', {
    feature: string('0+'),
    maxVersionLevel: int16('0+'),
    allowDowngrade: bool('0'),
    upgradeType: int8('1+', { default: 1 }),
  }),
  validateOnly: bool('1+', { default: false }),
});

const response = message('UpdateFeaturesResponse', '0-2', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  errorMessage: string('0+', { nullable: '0+' }),
  results: array(
    '0-1',
    {
      feature: string('0+'),
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
    },
    { ignorable: true },
  ),
});

export const updateFeatures = api({ key: 57, name: 'UpdateFeatures', request, response });

export type UpdateFeaturesRequest = Decoded<typeof request>;
export type UpdateFeaturesResponse = Encodable<typeof response>;
