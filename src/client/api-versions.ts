/** Which versions a broker speaks, asked once a connection, and the choice among them. */
import { SluiceError } from '../base/errors.ts';
import type { Channel } from '../network/channel.ts';
import { apiVersions } from '../protocol/apis/api-versions.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { Api } from '../protocol/schema.ts';
import type { VersionRange } from '../protocol/versions.ts';
import { refusedBy } from './errors.ts';

const SOFTWARE_NAME = 'sluice';
const SOFTWARE_VERSION = '0.1.0';

/** The first question on a connection: a version that brokers since 2.4 know, and one that all do. */
export const HANDSHAKE_VERSIONS = [3, 0] as const;

/** A broker that says nothing for so long hangs: better to try another than to wait as for a real request. */
const HANDSHAKE_TIMEOUT_MS = 4000;

/** A feature that the cluster has switched on, such as `transaction.version`. */
export interface FinalizedFeature {
  readonly name: string;
  readonly level: number;
}

/** Levels of a feature that a broker could work at. */
export interface SupportedFeature extends VersionRange {
  readonly name: string;
}

export class BrokerVersions {
  readonly ranges: ReadonlyMap<number, VersionRange>;
  readonly features: readonly FinalizedFeature[];
  readonly supportedFeatures: readonly SupportedFeature[];

  constructor(
    ranges: ReadonlyMap<number, VersionRange>,
    features: readonly FinalizedFeature[],
    supportedFeatures: readonly SupportedFeature[] = [],
  ) {
    this.ranges = ranges;
    this.features = features;
    this.supportedFeatures = supportedFeatures;
  }

  /**
   * The highest version of an API that this client and the broker have in common, at most `atMost`. Throws a SluiceError
   * UNSUPPORTED_VERSION where there is none.
   */
  choose(api: Api, atMost: number = Infinity): number {
    const range = this.ranges.get(api.key);
    const own = api.request.versions;
    const version = Math.min(own.to, atMost, range?.to ?? -1);
    if (range !== undefined && version >= Math.max(own.from, range.from)) return version;
    const theirs = range === undefined ? 'does not serve it' : `serves versions ${range.from} to ${range.to}`;
    throw new SluiceError('UNSUPPORTED_VERSION', `no common version of ${api.name}: the broker ${theirs}`, {
      remedy: 'Upgrade the broker, or do without this operation.',
    });
  }

  serves(api: Api): boolean {
    const range = this.ranges.get(api.key);
    return range !== undefined && range.from <= api.request.versions.to && range.to >= api.request.versions.from;
  }
}

/** Asks a broker for its versions, in the given version of the question. */
export async function askVersions(channel: Channel, version: number): Promise<BrokerVersions> {
  const answer = await channel.request(
    apiVersions,
    version,
    { clientSoftwareName: SOFTWARE_NAME, clientSoftwareVersion: SOFTWARE_VERSION },
    { timeoutMs: HANDSHAKE_TIMEOUT_MS },
  );
  if (answer.errorCode !== ErrorCode.NONE) throw refusedBy(answer.errorCode, 'the version handshake');
  const ranges = new Map<number, VersionRange>();
  for (const { apiKey, minVersion, maxVersion } of answer.apiKeys)
    ranges.set(apiKey, { from: minVersion, to: maxVersion });
  const features = answer.finalizedFeatures.map(({ name, maxVersionLevel }) => ({ name, level: maxVersionLevel }));
  const supported = answer.supportedFeatures.map(({ name, minVersion: from, maxVersion: to }) => ({ name, from, to }));
  return new BrokerVersions(ranges, features, supported);
}
