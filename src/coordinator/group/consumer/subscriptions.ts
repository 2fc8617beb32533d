/**
 * Who wants which topics: counts by topic (by name, by pattern), whether all members want the same, which topics
 * exist. The group keeps one of these; a request that is about to change a member works on a copy.
 */
import type { Uuid } from '../../../base/uuid.ts';
import type { MetadataImage } from '../../../metadata/image.ts';
import { type ConsumerMember, patternOf } from './member.ts';

/** Topics that a pattern matched. */
export interface ResolvedPattern {
  readonly topics: ReadonlySet<string>;
  /** Offset of the metadata that was looked at. */
  readonly version: number;
  /** When, wall clock. */
  readonly timestamp: number;
}

interface TopicCount {
  /** Members that want it by name. */
  readonly names: number;
  /** Resolved patterns that match it. */
  readonly patterns: number;
}

const NO_COUNT: TopicCount = { names: 0, patterns: 0 };

export class Subscriptions {
  readonly #topics: Map<string, TopicCount>;
  /** Members by pattern. */
  readonly #patterns: Map<string, number>;

  constructor(from?: Subscriptions) {
    this.#topics = new Map(from === undefined ? [] : from.#topics);
    this.#patterns = new Map(from === undefined ? [] : from.#patterns);
  }

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  topics(): Iterable<string> {
    return this.#topics.keys();
  }

  patterns(): ReadonlyMap<string, number> {
    return this.#patterns;
  }

  subscribers(pattern: string): number {
    return this.#patterns.get(pattern) ?? 0;
  }

  /** A member comes (no `before`), changes or goes (no `after`). */
  replace(before: ConsumerMember | undefined, after: ConsumerMember | undefined): void {
    for (const topic of before?.subscribedTopicNames ?? []) this.#count(topic, -1, 0);
    for (const topic of after?.subscribedTopicNames ?? []) this.#count(topic, 1, 0);
    const old = patternOf(before);
    const now = patternOf(after);
    if (old !== undefined) this.#countPattern(old, -1);
    if (now !== undefined) this.#countPattern(now, 1);
  }

  /** A pattern's topics become known, change or are forgotten. */
  resolve(before: ResolvedPattern | undefined, after: ResolvedPattern | undefined): void {
    for (const topic of before?.topics ?? []) this.#count(topic, 0, -1);
    for (const topic of after?.topics ?? []) this.#count(topic, 0, 1);
  }

  /** Whether all of `members` want exactly the same topics; unsure counts as no. */
  isHomogeneous(members: number): boolean {
    if (this.#patterns.size === 0) {
      for (const { names } of this.#topics.values()) if (names !== members) return false;
      return true;
    }
    const [count] = this.#patterns.values();
    if (count !== members) return false;
    for (const { names, patterns } of this.#topics.values()) if (patterns !== 1 || names > 0) return false;
    return true;
  }

  #count(topic: string, names: number, patterns: number): void {
    const old = this.#topics.get(topic) ?? NO_COUNT;
    const now = { names: Math.max(0, old.names + names), patterns: Math.max(0, old.patterns + patterns) };
    if (now.names === 0 && now.patterns === 0) this.#topics.delete(topic);
    else this.#topics.set(topic, now);
  }

  #countPattern(pattern: string, change: number): void {
    const count = (this.#patterns.get(pattern) ?? 0) + change;
    if (count <= 0) this.#patterns.delete(pattern);
    else this.#patterns.set(pattern, count);
  }
}

/** Topics that a member wants and that exist. A pattern that is not resolved yet matches none. */
export function subscribedTopicIds(
  member: ConsumerMember,
  resolved: ReadonlyMap<string, ResolvedPattern>,
  image: MetadataImage,
): ReadonlySet<Uuid> {
  const ids = new Set<Uuid>();
  const add = (name: string): void => {
    const topic = image.topics.byName.get(name);
    if (topic !== undefined) ids.add(topic.id);
  };
  for (const name of member.subscribedTopicNames) add(name);
  const pattern = patternOf(member);
  if (pattern !== undefined) for (const name of resolved.get(pattern)?.topics ?? []) add(name);
  return ids;
}
