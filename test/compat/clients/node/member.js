/** What both Node clients' group members share: the lines that they tell, as group_member.py does, and their end. */

/** As harness/wall-time.ts, which says why. */
const offsetMs = Array.from({ length: 20_000 }, () => Date.now() - performance.now()).reduce((most, each) =>
  Math.max(most, each),
);
const nowMs = () => offsetMs + performance.now();

function tell(what, value, { at = nowMs(), ...more } = {}) {
  process.stdout.write(`${JSON.stringify({ at, [what]: value, ...more })}\n`);
}

/** Of [partition, first, last], several. */
export const tellRead = (runs) => tell('read', runs);
/** Of [partition, offset to read next], several. */
export const tellCommitted = (offsets) => tell('committed', offsets);
export const tellFailed = (error) => tell('failed', String(error?.stack ?? error));

/** [partition, first, last] of offsets that follow each other. */
export class Runs {
  found = [];
  #latest = new Map();

  add(partition, offset) {
    let run = this.#latest.get(partition);
    if (run !== undefined && run[2] + 1 === offset) run[2] = offset;
    else {
      run = [partition, offset, offset];
      this.#latest.set(partition, run);
      this.found.push(run);
    }
  }

  /** [partition, offset to read next] of every partition. */
  next() {
    return [...this.#latest].map(([partition, run]) => [partition, run[2] + 1]);
  }
}

/** Tells of a whole new assignment: what is not in it is given up first. */
export function assignments() {
  let held = [];
  return {
    has: (partition) => held.includes(partition),
    taken: (partitions, generation) => {
      const gone = held.filter((partition) => !partitions.includes(partition));
      if (gone.length > 0) tell('revoked', gone);
      const added = partitions.filter((partition) => !held.includes(partition));
      held = [...partitions];
      tell('assigned', added, { generation });
    },
    lost: (at) => {
      if (held.length > 0) tell('revoked', held, { at });
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
