/**
 * Subscriptions by pattern: which topics a pattern matches is found out by the coordinator, recorded, and looked at
 * again when topics were created or some time has passed. Looking at all topics may take long, so it goes on in slices
 * between other requests.
 */
import type { MetadataImage } from '../../../metadata/image.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { GroupRecord, GroupResult } from '../records.ts';
import type { ConsumerGroupContext } from './context.ts';
import { ConsumerGroup } from './group.ts';
import { type ConsumerMember, patternOf, sameTopics } from './member.ts';
import { metadataHash } from './metadata-hash.ts';
import { Pattern, PatternSyntaxError } from './pattern/pattern.ts';
import { epochRecord, patternRecord, patternTombstone } from './records.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';
import { type ResolvedPattern, Subscriptions } from './subscriptions.ts';

/** New patterns come in waves while a group starts: they are matched together. */
const MIN_REFRESH_MS = 10_000;
/** Steps of automatons in one slice; some milliseconds. */
const SLICE_WORK = 200_000;
const NOTHING: GroupResult<void> = { records: [], reply: undefined };

/** `resolved`: the member's topics are known now, so that the group epoch must rise. */
export type PatternChange = 'none' | 'changed' | 'resolved';

export interface PatternUpdate {
  readonly change: PatternChange;
  readonly records: readonly GroupRecord[];
}

/** Follows a member's change of pattern; refuses a pattern that is none. */
export function updatePatterns(
  context: ConsumerGroupContext,
  group: ConsumerGroup,
  before: ConsumerMember,
  told: ConsumerMember,
): PatternUpdate | Refusal {
  const old = patternOf(before);
  const now = patternOf(told);
  const update = changeOf(group, before, told);
  if (isRefusal(update)) return update;
  const patterns = new Map(group.subscriptions.patterns());
  if (old !== now) {
    count(patterns, old, -1);
    count(patterns, now, 1);
  }
  if (isDue(context, group, patterns)) startSearch(context, group.groupId, [...patterns.keys()]);
  return update;
}

function changeOf(group: ConsumerGroup, before: ConsumerMember, told: ConsumerMember): PatternUpdate | Refusal {
  const old = patternOf(before);
  const now = patternOf(told);
  if (before.subscribedTopicRegex === told.subscribedTopicRegex) return { change: 'none', records: [] };
  const isLast = old !== undefined && group.subscriptions.subscribers(old) === 1;
  const records = isLast ? [patternTombstone(group.groupId, old)] : [];
  if (now === undefined) return { change: old === undefined ? 'changed' : 'resolved', records };
  if (group.subscriptions.subscribers(now) > 0) {
    return { change: group.resolved.has(now) ? 'resolved' : 'changed', records };
  }
  const fault = faultOf(now);
  if (fault === undefined) return { change: 'changed', records };
  return refuse(ErrorCode.INVALID_REGULAR_EXPRESSION, `SubscribedTopicRegex ${now} is not valid: ${fault}`);
}

function faultOf(text: string): string | undefined {
  try {
    new Pattern(text);
    return undefined;
  } catch (error) {
    if (error instanceof PatternSyntaxError) return error.message;
    throw error;
  }
}

function count(patterns: Map<string, number>, pattern: string | undefined, change: number): void {
  if (pattern === undefined) return;
  const members = (patterns.get(pattern) ?? 0) + change;
  if (members > 0) patterns.set(pattern, members);
  else patterns.delete(pattern);
}

function isDue(context: ConsumerGroupContext, group: ConsumerGroup, patterns: ReadonlyMap<string, number>): boolean {
  if (patterns.size === 0 || context.timers.has(searchKey(group.groupId))) return false;
  const [last] = group.resolved.values();
  if (last === undefined) return true;
  const ageMs = context.clock.wallMs() - last.timestamp;
  if (ageMs >= 0 && ageMs <= MIN_REFRESH_MS) return false;
  return (
    patterns.size !== group.resolved.size ||
    last.version < context.newTopicsVersion ||
    ageMs < 0 ||
    ageMs > context.settings(group.groupId).patternRefreshMs
  );
}

function searchKey(groupId: string): string {
  return `consumer-patterns:${groupId}`;
}

/** Timers run as requests of the shard: each slice is one, and the last one's records are its result. */
function startSearch(context: ConsumerGroupContext, groupId: string, texts: readonly string[]): void {
  const image = context.image();
  const search = new PatternSearch(texts, image);
  const timestamp = context.clock.wallMs();
  const goOn = (): GroupResult<void> => {
    if (search.advance()) return finish(context, groupId, search.found(timestamp));
    context.timers.schedule(searchKey(groupId), 0, goOn);
    return NOTHING;
  };
  context.timers.schedule(searchKey(groupId), 0, goOn);
}

/** Patterns against all topics that there are at one moment. */
class PatternSearch {
  readonly #image: MetadataImage;
  readonly #names: Iterator<string>;
  readonly #patterns: { readonly text: string; readonly pattern: Pattern; readonly topics: Set<string> }[] = [];

  constructor(texts: readonly string[], image: MetadataImage) {
    this.#image = image;
    this.#names = image.topics.byName.keys();
    // One that another program accepted and this one does not matches nothing.
    for (const text of texts) {
      if (faultOf(text) === undefined) this.#patterns.push({ text, pattern: new Pattern(text), topics: new Set() });
    }
  }

  /** Does one slice; true when all is done. */
  advance(): boolean {
    const limit = this.#work() + SLICE_WORK;
    while (this.#work() < limit) {
      const { value: name, done } = this.#names.next();
      if (done === true) return true;
      for (const { pattern, topics } of this.#patterns) if (pattern.matches(name)) topics.add(name);
    }
    return this.#patterns.length === 0;
  }

  #work(): number {
    return this.#patterns.reduce((sum, { pattern }) => sum + pattern.work, 0);
  }

  found(timestamp: number): Map<string, ResolvedPattern> {
    const version = this.#image.offset;
    return new Map(this.#patterns.map(({ text, topics }) => [text, { topics, version, timestamp }]));
  }
}

function finish(
  context: ConsumerGroupContext,
  groupId: string,
  found: ReadonlyMap<string, ResolvedPattern>,
): GroupResult<void> {
  const group = context.groups.get(groupId);
  if (!(group instanceof ConsumerGroup)) return NOTHING;
  const subscriptions = new Subscriptions(group.subscriptions);
  const records: GroupRecord[] = [];
  let changed = false;
  for (const [pattern, resolved] of found) {
    // Its last member may have gone meanwhile.
    if (group.subscriptions.subscribers(pattern) === 0) continue;
    const before = group.resolved.get(pattern);
    // Resolved for the first time counts as changed even where nothing matches: the epoch was not raised when its
    // members turned to it, and the target may still give them what they wanted before.
    if (before === undefined || !sameTopics(before.topics, resolved.topics)) {
      subscriptions.resolve(before, resolved);
      changed = true;
    }
    records.push(patternRecord(groupId, pattern, resolved));
  }
  const hash = metadataHash(subscriptions.topics(), context.image());
  if (changed || hash !== group.metadataHash) records.push(epochRecord(groupId, group.groupEpoch + 1, hash));
  return { records, reply: undefined };
}
