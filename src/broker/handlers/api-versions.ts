/** ApiVersions (18), versions 0-4: what is served here. A version beyond is answered in dispatch. */
import { type ApiVersionsResponse, apiVersions } from '../../protocol/apis/api-versions.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { Api } from '../../protocol/schema.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

const SOFTWARE_FIELDS_SINCE = 3;
/** KIP-511: what may stand in the client's software name and version. */
const SOFTWARE_PATTERN = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

export const handleApiVersions = (services: BrokerServices, served: () => readonly Api[]) =>
  handler(apiVersions, (request, context): ApiVersionsResponse => {
    const named = context.header.apiVersion >= SOFTWARE_FIELDS_SINCE;
    const { clientSoftwareName, clientSoftwareVersion } = request;
    if (named && !(SOFTWARE_PATTERN.test(clientSoftwareName) && SOFTWARE_PATTERN.test(clientSoftwareVersion))) {
      return { errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [], supportedFeatures: [], finalizedFeatures: [] };
    }
    const image = services.quorum.image();
    return {
      apiKeys: served().map(({ key, advertised }) => ({
        apiKey: key,
        minVersion: advertised.from,
        maxVersion: advertised.to,
      })),
      // What is finalized is what works here; there is no other level to move to.
      supportedFeatures: [...image.features].map(([name, level]) => ({ name, minVersion: level, maxVersion: level })),
      finalizedFeaturesEpoch: image.offset,
      finalizedFeatures: [...image.features].map(([name, level]) => ({
        name,
        maxVersionLevel: level,
        minVersionLevel: level,
      })),
    };
  });
