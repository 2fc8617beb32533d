/** Points in time and lengths of time as people type them. */
import type { Timestamp } from '../base/units.ts';
import { invalid } from './arguments.ts';

const UNITS_MS: Readonly<Record<string, number>> = {
  ...{ ms: 1, s: 1000, m: 60_000 },
  ...{ h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 },
};

const ISO_DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;

/** `0`, `90m`, `1h30m`, `2d`, or ISO 8601 as Kafka's tools take it (`PT1H30M`), in milliseconds. */
export function duration(option: string, text: string): number {
  const found = parseDuration(text);
  if (found !== undefined) return found;
  const isBare = /^\d+$/.test(text);
  const examples = isBare
    ? `a unit, as in ${text}ms or ${text}s`
    : 'a duration such as 100ms, 5s, 1h30m, 2d or PT1H30M';
  throw invalid(option, text, `give ${examples}`);
}

export function parseDuration(text: string): number | undefined {
  // Nothing is nothing in every unit.
  if (text === '0') return 0;
  if (/^(\d+(?:\.\d+)?(ms|s|m|h|d|w))+$/.test(text)) {
    const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g);
    return Math.round([...parts].reduce((sum, [, count, unit]) => sum + Number(count) * UNITS_MS[unit!]!, 0));
  }
  const iso = ISO_DURATION.exec(text);
  if (iso === null || iso.slice(1).every((part) => part === undefined)) return undefined;
  const [days, hours, minutes, seconds] = iso.slice(1).map((part) => Number(part ?? 0));
  return Math.round(((days! * 24 + hours!) * 60 + minutes!) * 60_000 + seconds! * 1000);
}

/**
 * A point in time: milliseconds or (9 or 10 digits) seconds since 1970, ISO 8601 (UTC where no zone is given), `now`, or
 * relative to now (`-1h`, `+5m`). Undefined for anything else.
 */
export function parseTime(text: string, nowMs: Timestamp): Timestamp | undefined {
  if (text === 'now') return nowMs;
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (!Number.isSafeInteger(number)) return undefined;
    return text.length === 9 || text.length === 10 ? number * 1000 : number;
  }
  if (text.startsWith('-') || text.startsWith('+')) {
    const away = parseDuration(text.slice(1));
    return away === undefined ? undefined : nowMs + (text.startsWith('-') ? -away : away);
  }
  if (!/^\d{4}-\d{2}/.test(text)) return undefined;
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(text.slice('2026-05-01'.length)) || !text.includes('T');
  const time = Date.parse(zoned ? text : `${text}Z`);
  return Number.isSafeInteger(time) ? time : undefined;
}

export function pointInTime(option: string, text: string, nowMs: Timestamp): Timestamp {
  const time = parseTime(text, nowMs);
  if (time !== undefined) return time;
  throw invalid(option, text, 'give a time such as 2026-05-01T12:00:00Z, -1h, or milliseconds since 1970');
}
