/** Values by group, topic and partition. A group or topic without values takes no room. */
export class PartitionMap<Value> {
  readonly #groups = new Map<string, Map<string, Map<number, Value>>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(group: string, topic: string, partition: number): Value | undefined {
    return this.#groups.get(group)?.get(topic)?.get(partition);
  }

  /** The topics of a group with their partitions. */
  topics(group: string): ReadonlyMap<string, ReadonlyMap<number, Value>> | undefined {
    return this.#groups.get(group);
  }

  groups(): Iterable<string> {
    return this.#groups.keys();
  }

  set(group: string, topic: string, partition: number, value: Value): void {
    let topics = this.#groups.get(group);
    if (topics === undefined) {
      topics = new Map();
      this.#groups.set(group, topics);
    }
    let partitions = topics.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      topics.set(topic, partitions);
    }
    if (!partitions.has(partition)) this.#size++;
    partitions.set(partition, value);
  }

  delete(group: string, topic: string, partition: number): boolean {
    const topics = this.#groups.get(group);
    const partitions = topics?.get(topic);
    if (topics === undefined || partitions === undefined || !partitions.delete(partition)) return false;
    this.#size--;
    if (partitions.size === 0) topics.delete(topic);
    if (topics.size === 0) this.#groups.delete(group);
    return true;
  }

  /** Calls `visit` for every value of a group, or of all groups. */
  each(visit: (group: string, topic: string, partition: number, value: Value) => void, group?: string): void {
    for (const name of group === undefined ? this.#groups.keys() : [group]) {
      for (const [topic, partitions] of this.#groups.get(name) ?? []) {
        for (const [partition, value] of partitions) visit(name, topic, partition, value);
      }
    }
  }
}
