/** What both Node clients' group members share: the lines that they tell, as group_member.py does, and their end. */

const nowMs = () => performance.timeOrigin + performance.now();

function tell(what, value, at = nowMs()) {
  process.stdout.write(`${JSON.stringify({ at, [what]: value })}\n`);
}

/** Records are told at once and committed by the client later: others may read them again. */
export const tellRead = (partition, offset) => tell('read', [[partition, Number(offset)]]);
export const tellFailed = (error) => tell('failed', String(error?.stack ?? error));

/** Tells of a whole new assignment: what is not in it is given up first. */
export function assignments() {
  let held = [];
  return {
    taken: (partitions) => {
      const gone = held.filter((partition) => !partitions.includes(partition));
      if (gone.length > 0) tell('revoked', gone);
      tell(
        'assigned',
        partitions.filter((partition) => !held.includes(partition)),
      );
      held = [...partitions];
    },
    lost: (at) => {
      if (held.length > 0) tell('revoked', held, at);
      held = [];
    },
  };
}

/** SIGTERM: leaves the group. */
export function leaveOnTerm(leave) {
  process.once('SIGTERM', async () => {
    await leave().catch(tellFailed);
    tell('closed', true);
    process.exit(0);
  });
}
