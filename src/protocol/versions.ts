/** An inclusive range of message versions; empty when `from > to`. */
export interface VersionRange {
  readonly from: number;
  readonly to: number;
}

/** Stands for "and every later version". */
const OPEN_END = 32767;
export const NO_VERSIONS: VersionRange = { from: 0, to: -1 };

/** Reads '3', '0-12', '9+' or 'none'. */
export function parseVersions(text: string): VersionRange {
  if (text === 'none') return NO_VERSIONS;
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text);
  if (match === null) throw new TypeError(`not a version range: ${text}`);
  const from = Number(match[1]);
  if (match[2] !== undefined) return { from, to: OPEN_END };
  return { from, to: match[3] === undefined ? from : Number(match[3]) };
}

export function includesVersion(range: VersionRange, version: number): boolean {
  return version >= range.from && version <= range.to;
}

/** The inverse of `parseVersions`. */
export function formatVersions(range: VersionRange): string {
  if (range.from > range.to) return 'none';
  if (range.to === OPEN_END) return `${range.from}+`;
  return range.from === range.to ? String(range.from) : `${range.from}-${range.to}`;
}
