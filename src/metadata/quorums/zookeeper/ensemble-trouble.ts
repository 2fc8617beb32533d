/** Tells whoever runs the cluster what keeps a broker from ZooKeeper, for as long as it does. */
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Trouble, ZooKeeper } from './client/zookeeper.ts';

const LOOK_MS = 1000;
/** Between two lines about the same. */
const REPEAT_MS = 60_000;

/** Until the session is over. */
export function tellTrouble(
  session: ZooKeeper,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): void {
  let told: { readonly kind: Trouble['kind']; readonly atMs: number } | undefined;
  const timer = clock.every(LOOK_MS, () => {
    if (session.state !== 'connecting' && session.state !== 'connected') timer.cancel();
    const { trouble } = session;
    if (trouble === undefined) {
      told = undefined;
      return;
    }
    const nowMs = clock.monotonicMs();
    if (told?.kind === trouble.kind && nowMs - told.atMs < REPEAT_MS) return;
    told = { kind: trouble.kind, atMs: nowMs };
    const forMs = Math.round(nowMs - trouble.sinceMs);
    if (trouble.kind === 'behind') {
      const remedy = 'Bring the data of ZooKeeper back as they were; until then nothing of the cluster changes.';
      logger.error('ZooKeeper has gone back behind what this broker has seen', { reason: trouble.what, remedy, forMs });
    } else {
      const reason = trouble.what;
      logger.warn('ZooKeeper is away: records are written and read on, the cluster cannot be changed', {
        reason,
        forMs,
      });
    }
  });
}
