/** What producers tell through `node:diagnostics_channel`; costs nothing while nobody listens. */
import { channel } from 'node:diagnostics_channel';
import type { SluiceError } from '../../base/errors.ts';
import type { Offset, TopicPartition } from '../../base/units.ts';

type BatchPlace = TopicPartition & { readonly records: number };

export interface ProducerEvents {
  /** Offset -1 where the broker did not say. */
  acknowledged: BatchPlace & { readonly baseOffset: Offset };
  /** To be sent again. */
  retried: BatchPlace & { readonly error: SluiceError };
  failed: BatchPlace & { readonly error: SluiceError };
}

const CHANNELS = {
  acknowledged: channel('sluice:producer:acknowledged'),
  retried: channel('sluice:producer:retried'),
  failed: channel('sluice:producer:failed'),
} as const;

export function isHeard(name: keyof ProducerEvents): boolean {
  return CHANNELS[name].hasSubscribers;
}

export function tell<Name extends keyof ProducerEvents>(name: Name, event: ProducerEvents[Name]): void {
  if (CHANNELS[name].hasSubscribers) CHANNELS[name].publish(event);
}
