/**
 * From the election of a controller to its first decision: the office is taken, what the znodes hold is loaded, what an
 * earlier controller left half done is finished. Tells whoever runs the cluster of znodes that make no sense.
 */
import type { Clock } from '../../../base/clock.ts';
import { SluiceError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import { newUuid } from '../../../base/uuid.ts';
import type { MetadataImage } from '../../image.ts';
import type { LostTopics } from '../../quorum.ts';
import type { GrowingPause } from './growing-pause.ts';
import { isContradiction, type Office } from './office.ts';
import { loadImage } from './store/load-image.ts';
import { groupAtoms, type MultiLimits } from './store/plan-writes.ts';
import { topicRemoval } from './store/remove-znodes.ts';
import type { Finding } from './store/salvage.ts';

export interface AccessionOptions {
  /** What this node has followed or written; its offset is -1 where that is nothing. */
  readonly followed: MetadataImage;
  readonly limits: MultiLimits;
  /** Begun where another attempt would come to the same. */
  readonly pause: GrowingPause;
  /** Called when somebody changes a znode that could not be understood. */
  readonly onMended: () => void;
}

export interface Accession {
  readonly image: MetadataImage;
  readonly lostTopics: LostTopics;
}

/** Rejects with a ZooKeeperError, or a SluiceError for what leaves no way to begin. */
export async function accede(
  office: Office,
  options: AccessionOptions,
  dependencies: { readonly clock: Clock; readonly logger: Logger; readonly random: Random },
): Promise<Accession> {
  const { clock, logger } = dependencies;
  try {
    return await load(office, options, dependencies);
  } catch (error) {
    if (error instanceof SluiceError && (isContradiction(error) || !error.retriable)) {
      const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
      logger.error('no controller can take office until this is mended in ZooKeeper', {
        reason: error.message,
        ...remedy,
      });
      options.pause.start(clock.monotonicMs());
    }
    throw error;
  }
}

async function load(
  office: Office,
  { followed, limits, onMended }: AccessionOptions,
  { clock, logger, random }: Parameters<typeof accede>[2],
): Promise<Accession> {
  if (office.committed !== undefined && office.committed < followed.offset) throw wentBack(office.committed, followed);
  const { image, repairs, versions, findings, lostTopics } = await loadImage(office.zooKeeper, {
    clusterId: followed.clusterId,
    epoch: office.epoch,
    nowMs: clock.wallMs(),
    newId: () => newUuid(random),
    onMended,
    ...(followed.offset < 0 ? {} : { known: { image: followed, complete: followed.offset === office.committed } }),
  });
  for (const finding of findings) tell(finding, logger);
  office.guardBy(versions);
  // At least one write, so that a controller that lost its office meanwhile does not open.
  const groups = groupAtoms(repairs, limits);
  await Promise.all(groups.map((operations) => office.write(operations, image.offset)));
  if (repairs.length > 0) logger.info('finished what an earlier controller began', { writes: repairs.length });
  return { image, lostTopics: lostTopicsOf(office, new Map(lostTopics), limits) };
}

/** What was committed once stays: with less, brokers would delete the logs of topics that were created since. */
function wentBack(committed: number, followed: MetadataImage): SluiceError {
  return new SluiceError(
    'ZOOKEEPER_WENT_BACK',
    `ZooKeeper holds an older state of the cluster (${committed}) than this broker has followed (${followed.offset})`,
    {
      remedy:
        'Was it restored from an old copy? Bring the newer one back; or restart all brokers to go on with the older.',
    },
  );
}

function tell({ znode, reason, consequence, remedy, held }: Finding, logger: Logger): void {
  const advice = remedy === undefined ? {} : { remedy };
  logger.error('a znode cannot be understood', { znode, reason, consequence, ...advice, held });
}

function lostTopicsOf(office: Office, reasons: Map<string, string>, limits: MultiLimits): LostTopics {
  return {
    reasons,
    remove: async (name) => {
      const operations = await topicRemoval(office.zooKeeper, name);
      const atoms = operations.map((operation) => [operation]);
      await Promise.all(groupAtoms(atoms, limits).map((group) => office.write(group, office.lastOffset)));
      reasons.delete(name);
    },
  };
}
