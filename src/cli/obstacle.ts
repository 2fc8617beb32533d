import { messageOf } from '../base/errors.ts';
import type { Admin } from '../client/admin/admin.ts';

/** Why the cluster cannot be changed now, as a broker says when something is asked that only a controller can answer. */
export async function obstacleOf(admin: Admin): Promise<string | undefined> {
  try {
    await admin.ongoingReassignments();
    return undefined;
  } catch (error) {
    // What was asked for is beside the point here.
    return messageOf(error).replace(/^the reassignments: /, '');
  }
}
