/** Whether a broker's process is there: it answers, its host says that nobody listens, or nobody says anything. */
import { SluiceError, systemErrorCode } from '../base/errors.ts';
import { apiVersions } from '../protocol/apis/api-versions.ts';
import type { Channel } from './channel.ts';

export type Finding = 'alive' | 'gone' | 'unknown';

const ANSWER_MS = 1000;
/** Version 0 sends no name. */
const NO_NAME = { clientSoftwareName: '', clientSoftwareVersion: '' };

/**
 * A process that ends, or hangs, may still accept a connection, for its kernel does; but it answers nothing. `connect`
 * rejects as that of channel.ts. Never rejects.
 */
export async function probe(connect: () => Promise<Channel>): Promise<Finding> {
  let channel: Channel | undefined;
  try {
    channel = await connect();
    await channel.request(apiVersions, 0, NO_NAME, { timeoutMs: ANSWER_MS });
    return 'alive';
  } catch (error) {
    return error instanceof SluiceError && systemErrorCode(error.cause) === 'ECONNREFUSED' ? 'gone' : 'unknown';
  } finally {
    void channel?.close();
  }
}
