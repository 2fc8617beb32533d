/**
 * Asks one server how far its state has come, as a client that has seen nothing. A server closes the connection of a client
 * that has seen more than it knows, and does not say why; this tells.
 */
import type { Clock } from '../../../../base/clock.ts';
import type { Transport } from '../../../../network/transport.ts';
import type { ServerAddress } from './connect-string.ts';
import { Connection } from './connection.ts';
import { JuteWriter } from './jute.ts';
import { OP, PASSWORD_BYTES, writeHeader } from './messages.ts';

const ASK_XID = 1;
const END_XID = 2;

/** The newest transaction that the server knows; undefined where it does not serve. Ends the session that this takes. */
export function newestKnownTo(
  server: ServerAddress,
  timeoutMs: number,
  dependencies: { readonly clock: Clock; readonly transport: Transport },
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const finish = (zxid: number | undefined): void => {
      timer.cancel();
      connection.destroy();
      resolve(zxid);
    };
    const timer = dependencies.clock.after(timeoutMs, () => finish(undefined));
    let known: number | undefined;
    const session = { lastZxid: 0, timeoutMs, sessionId: 0n, password: Buffer.alloc(PASSWORD_BYTES) };
    const connection = new Connection({ server, session }, dependencies, {
      onPresented: () => {
        // A write is the only request that is answered with the transaction of the whole ensemble.
        connection.write(writeHeader(new JuteWriter(), ASK_XID, OP.SYNC).string('/').frame());
        connection.write(writeHeader(new JuteWriter(), END_XID, OP.CLOSE_SESSION).frame());
      },
      onReply: ({ xid, zxid }) => {
        if (xid === ASK_XID) known = zxid;
        else finish(known);
      },
      onLost: () => finish(known),
    });
  });
}
