/** `range`: every topic's partitions cut into consecutive ranges, one a subscriber; the first ones get one more. */
import { byIdentity, type ClassicAssignor, wantedTopics } from './assignor.ts';

export const rangeAssignor: ClassicAssignor = {
  name: 'range',
  cooperative: false,
  userData: () => null,
  assign(members, topics) {
    const assignment = new Map(members.map(({ memberId }) => [memberId, [] as { topic: string; partition: number }[]]));
    const sorted = [...members].sort(byIdentity);
    for (const topic of wantedTopics(members, topics)) {
      const subscribers = sorted.filter((member) => member.topics.includes(topic));
      const count = topics.get(topic)!;
      const each = Math.floor(count / subscribers.length);
      const extra = count % subscribers.length;
      let next = 0;
      for (const [index, { memberId }] of subscribers.entries()) {
        const end = next + each + (index < extra ? 1 : 0);
        for (; next < end; next++) assignment.get(memberId)!.push({ topic, partition: next });
      }
    }
    return assignment;
  },
};
