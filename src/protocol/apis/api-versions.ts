import { api, array, bool, type Decoded, type Encodable, int16, int32, int64, message, string } from '../schema.ts';

const request = message('ApiVersionsRequest', '0-4', '3+', {
  clientSoftwareName: string('3+', { ignorable: true }),
  clientSoftwareVersion: string('3+', { ignorable: true }),
});

const response = message('ApiVersionsResponse', '0-4', '3+', {
  errorCode: int16('0+'),
  apiKeys: array('0+', {
    apiKey: int16('0+'),
    minVersion: int16('0+'),
    maxVersion: int16('0+'),
  }),
  throttleTimeMs: int32('1+', { ignorable: true }),
  supportedFeatures: array(
    '3+',
    {
      name: string('3+'),
      minVersion: int16('3+'),
      maxVersion: int16('3+'),
    },
    { tag: 0, ignorable: true },
  ),
  finalizedFeaturesEpoch: int64('3+', { tag: 1, default: -1, ignorable: true }),
  finalizedFeatures: array(
    '3+',
    {
      name: string('3+'),
      maxVersionLevel: int16('3+'),
      minVersionLevel: int16('3+'),
    },
    { tag: 2, ignorable: true },
  ),
  zkMigrationReady: bool('3+', { tag: 3, default: false, ignorable: true }),
});

export const apiVersions = api({ key: 18, name: 'ApiVersions', request, response });

export type ApiVersionsRequest = Decoded<typeof request>;
export type ApiVersionsResponse = Encodable<typeof response>;
