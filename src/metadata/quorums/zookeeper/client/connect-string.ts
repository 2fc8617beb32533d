/** Where an ensemble is: `host:port,host:port/root`, as in `zookeeper.connect`. */
import { SluiceError } from '../../../../base/errors.ts';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface EnsembleAddress {
  readonly servers: readonly ServerAddress[];
  /** Empty where paths begin at the ensemble's own root, else without a slash at its end. */
  readonly root: string;
}

const DEFAULT_PORT = 2181;
const LARGEST_PORT = 65535;

/** Throws SluiceError INVALID_CONFIG. */
export function parseConnectString(text: string): EnsembleAddress {
  const slash = text.indexOf('/');
  const list = slash < 0 ? text : text.slice(0, slash);
  const root = slash < 0 ? '' : text.slice(slash).replace(/\/+$/, '');
  if (root !== '' && !isPath(root)) throw invalid(text, `${root} is no path`);
  const servers = list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => parseServer(part, text));
  if (servers.length === 0) throw invalid(text, 'it names no server');
  return { servers, root };
}

/** `host`, `host:port`, `[v6]:port`. */
function parseServer(part: string, text: string): ServerAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(part);
  if (match === null) throw invalid(text, `${part} is no host:port`);
  const port = match[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (port < 1 || port > LARGEST_PORT) throw invalid(text, `${port} is no port`);
  return { host: match[1] ?? match[2]!, port };
}

/** Whether a text can be the absolute path of a znode (PathUtils.validatePath). */
export function isPath(path: string): boolean {
  if (path === '/') return true;
  if (!path.startsWith('/') || path.endsWith('/')) return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what ZooKeeper refuses in names.
  if (/[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/.test(path)) return false;
  return path
    .slice(1)
    .split('/')
    .every((name) => name !== '' && name !== '.' && name !== '..');
}

function invalid(text: string, why: string): SluiceError {
  return new SluiceError('INVALID_CONFIG', `zookeeper.connect=${text}: ${why}`, {
    remedy: 'Give the servers as host:port,host:port, if need be with a path behind the last one.',
  });
}
