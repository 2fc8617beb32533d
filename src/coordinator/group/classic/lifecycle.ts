/** What begins with a classic group when its partition is loaded here, and ends when it goes elsewhere. */
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { ClassicGroup } from './classic-group.ts';
import type { ClassicContext } from './context.ts';
import { joinRefusal, prepareRebalance, renewSession } from './rebalance.ts';
import { syncRefusal } from './sync.ts';

/** Members have their whole session to show that they live: nobody knows when they did last. */
export function loadedGroup(context: ClassicContext, group: ClassicGroup): void {
  for (const member of group.members.values()) renewSession(context, group, member);
  // The limit was lowered: members may commit before they join again and some find no place.
  if (group.members.size > context.settings().maxMembers) prepareRebalance(context, group);
}

export function unloadedGroup(context: ClassicContext, group: ClassicGroup): void {
  group.transition('removed', context.clock.wallMs());
  for (const member of group.members.values()) {
    group.answerJoin(member, joinRefusal(ErrorCode.NOT_COORDINATOR, member.memberId));
    group.answerSync(member, syncRefusal(ErrorCode.NOT_COORDINATOR));
  }
}
