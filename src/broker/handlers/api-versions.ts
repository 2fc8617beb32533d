/** ApiVersions (18), versions 0-4: what is served here. A version beyond is answered in dispatch. */
import { OWN_FEATURES } from '../../controller/registration.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import { type ApiVersionsResponse, apiVersions } from '../../protocol/apis/api-versions.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { Api } from '../../protocol/schema.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

const SOFTWARE_FIELDS_SINCE = 3;
/** KIP-511: what may stand in the client's software name and version. */
const SOFTWARE_PATTERN = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

/** From then on clients understand a feature that may be off. */
const LEVEL_0_SINCE = 4;

/** What other software finalized here stays as it is: nobody can move it to another level. */
function supportedFeatures(image: MetadataImage, apiVersion: number): ApiVersionsResponse['supportedFeatures'] {
  const supported = OWN_FEATURES.map(({ name, minSupportedVersion: minVersion, maxSupportedVersion: maxVersion }) => {
    return { name, minVersion, maxVersion };
  });
  const own = new Set(supported.map(({ name }) => name));
  for (const [name, level] of image.features) {
    if (!own.has(name)) supported.push({ name, minVersion: level, maxVersion: level });
  }
  return supported.filter(({ minVersion }) => minVersion > 0 || apiVersion >= LEVEL_0_SINCE);
}

/** Answered by every process that lives: others ask it to know whether it does. */
export const handleApiVersions = (services: BrokerServices, served: () => readonly Api[]) =>
  handler(
    apiVersions,
    (request, context): ApiVersionsResponse => {
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
        supportedFeatures: supportedFeatures(image, context.header.apiVersion),
        finalizedFeaturesEpoch: image.offset,
        finalizedFeatures: [...image.features].map(([name, level]) => ({
          name,
          maxVersionLevel: level,
          minVersionLevel: level,
        })),
      };
    },
    { gatesItself: true },
  );
