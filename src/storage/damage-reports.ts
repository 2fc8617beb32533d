import type { Clock } from '../base/clock.ts';
import type { LogFields, Logger } from '../base/logger.ts';

/** Consumers that meet a damage come back to it many times a second. */
const SILENT_MS = 600_000;

/** Tells the operator what of a log cannot be read: each damage when it is met, and again after ten minutes. */
export class DamageReports {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #saidAtMs = new Map<string, number>();

  constructor(dependencies: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = dependencies.clock;
    this.#logger = dependencies.logger;
  }

  /** `damage` names the file; the same words are the same damage. */
  report(damage: string, fields: LogFields = {}): void {
    const now = this.#clock.monotonicMs();
    const saidAt = this.#saidAtMs.get(damage);
    if (saidAt !== undefined && now - saidAt < SILENT_MS) return;
    this.#saidAtMs.set(damage, now);
    this.#logger.error('A part of a log cannot be read', { damage, ...fields });
  }
}
