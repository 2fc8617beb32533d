import type { GroupClient } from '../coordinator/group/classic/context.ts';
import type { RequestContext } from './handler.ts';

/** Who sent a request, as groups remember their members. */
export function groupClientOf({ header, connection }: RequestContext): GroupClient {
  return {
    clientId: header.clientId ?? '',
    clientHost: `/${connection.remoteAddress.replace(/^::ffff:/, '')}`,
    apiVersion: header.apiVersion,
  };
}
