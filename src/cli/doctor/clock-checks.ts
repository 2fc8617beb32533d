/** Compares clocks: those of brokers with the one here. */
import type { Timestamp } from '../../base/units.ts';
import type { Admin } from '../../client/admin/admin.ts';
import type { Findings } from './findings.ts';

/** What a broker's clock said, at some moment between `here` and `withinMs` later. */
export interface ClockReading {
  readonly broker: number;
  readonly told: Timestamp;
  readonly here: Timestamp;
  readonly withinMs: number;
}

/** Brokers refuse records an hour ahead; logs and leases become hard to follow long before. */
const MOST_SKEW_MS = 1000;
/** Beyond that records are refused (message.timestamp.after.max.ms). */
const REFUSED_SKEW_MS = 3_600_000;
const REMEDY = 'Let chrony or systemd-timesyncd keep the clock on every machine.';
const OFFSETS_TOPIC = '__consumer_offsets';

export function judgeClock({ broker, told, here, withinMs }: ClockReading, findings: Findings): void {
  const ahead = told < here ? told - here : told > here + withinMs ? told - here - withinMs : 0;
  const distance = Math.abs(ahead);
  const message = `the clock of broker ${broker} is ${spell(distance)} ${ahead < 0 ? 'behind' : 'ahead of'} the one here`;
  if (distance > REFUSED_SKEW_MS) findings.error('clock', message, REMEDY, broker);
  else if (distance > MOST_SKEW_MS) findings.warning('clock', message, REMEDY, broker);
  else
    findings.ok(
      'clock',
      `the clock of broker ${broker} agrees with the one here within ${spell(distance + withinMs)}`,
      broker,
    );
}

/**
 * Without writing: brokers stamp what groups commit. A stamp from the future shows a clock that is ahead; nothing shows
 * one that is behind.
 */
export async function checkStamps(admin: Admin, nowMs: Timestamp, findings: Findings): Promise<void> {
  const topic = (await admin.listTopics()).find(({ name }) => name === OFFSETS_TOPIC);
  const led = topic?.partitions.filter(({ leader }) => leader >= 0) ?? [];
  if (topic === undefined || led.length === 0) return;
  const answers = await admin.listOffsets(
    led.map(({ partition }) => ({ topic: OFFSETS_TOPIC, partition, at: 'max-timestamp' })),
  );
  const newest = Math.max(...answers.map(({ timestamp }) => timestamp));
  if (newest <= nowMs + MOST_SKEW_MS) return;
  const broker = led[answers.findIndex(({ timestamp }) => timestamp === newest)]!.leader;
  const message = `broker ${broker} stamps ${spell(newest - nowMs)} into the future: its clock, or the one here, is wrong`;
  findings.warning('clock', message, `${REMEDY} sluice doctor --write says which broker differs.`, broker);
}

function spell(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
