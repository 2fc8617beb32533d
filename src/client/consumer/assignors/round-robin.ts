/** `roundrobin`: all partitions, topic by topic, dealt out to the members in turn; who does not want one is passed over. */
import { byIdentity, type ClassicAssignor, wantedTopics } from './assignor.ts';

export const roundRobinAssignor: ClassicAssignor = {
  name: 'roundrobin',
  cooperative: false,
  userData: () => null,
  assign(members, topics) {
    const assignment = new Map(members.map(({ memberId }) => [memberId, [] as { topic: string; partition: number }[]]));
    const sorted = [...members].sort(byIdentity);
    let turn = 0;
    for (const topic of wantedTopics(members, topics)) {
      for (let partition = 0; partition < topics.get(topic)!; partition++) {
        while (!sorted[turn % sorted.length]!.topics.includes(topic)) turn++;
        assignment.get(sorted[turn % sorted.length]!.memberId)!.push({ topic, partition });
        turn++;
      }
    }
    return assignment;
  },
};
