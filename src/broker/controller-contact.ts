/**
 * Whether this broker is in touch with its controller. One that has not heard it for as long as a session, though the
 * coordination service calls it alive, was fenced by it and cannot know who leads by now: it sends its clients away, to
 * brokers that do. Without any controller, or without the service that tells of it, everybody goes on with what is known.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';

export interface ControllerContactDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long the controller was not heard; undefined where nobody is to be heard. */
  readonly silentMs: () => number | undefined;
  readonly onLost: () => void;
  readonly onRegained: () => void;
}

const CHECK_MS = 500;

export class ControllerContact {
  readonly #limitMs: number;
  readonly #dependencies: ControllerContactDependencies;
  readonly #check: Timer;
  /** Only silence since then counts: before, nobody was to be heard. */
  #sinceMs: number;
  #lost = false;

  constructor(options: { readonly limitMs: number }, dependencies: ControllerContactDependencies) {
    this.#limitMs = options.limitMs;
    this.#dependencies = dependencies;
    this.#sinceMs = dependencies.clock.monotonicMs();
    this.#check = dependencies.clock.every(CHECK_MS, () => this.#look());
  }

  #look(): void {
    const { clock, logger, silentMs, onLost, onRegained } = this.#dependencies;
    const nowMs = clock.monotonicMs();
    const silent = silentMs();
    if (silent === undefined) this.#sinceMs = nowMs;
    const lost = Math.min(silent ?? 0, nowMs - this.#sinceMs) > this.#limitMs;
    if (lost === this.#lost) return;
    this.#lost = lost;
    if (lost) {
      logger.warn('the controller lives and is not heard; clients are sent to other brokers until it is', {
        silentMs: Math.round(silent ?? 0),
      });
      onLost();
    } else {
      logger.info('the controller is heard again, or there is none');
      onRegained();
    }
  }

  close(): void {
    this.#check.cancel();
  }
}
