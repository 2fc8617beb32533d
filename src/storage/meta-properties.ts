/**
 * `meta.properties` of a log directory: which cluster and node it belongs to, and its own id (KIP-858), so that a disk
 * that was put into the wrong machine is noticed. A Java properties file; version 1 has node.id, version 0 broker.id.
 */
import { SluiceError } from '../base/errors.ts';
import type { FileSystem } from '../base/file-system.ts';
import type { BrokerId } from '../base/units.ts';
import { type Uuid, uuidToBytes } from '../base/uuid.ts';

export const META_PROPERTIES_FILE = 'meta.properties';
const VERSION = 1;
const KNOWN_KEYS = ['version', 'cluster.id', 'node.id', 'broker.id', 'directory.id'];

export interface MetaProperties {
  /** Absent in directories of version 0 that never joined a cluster. */
  readonly clusterId: string | undefined;
  readonly nodeId: BrokerId | undefined;
  readonly directoryId: Uuid | undefined;
}

/** The file in `directory`, or undefined where there is none. Throws SluiceError CORRUPT_META_PROPERTIES. */
export function readMetaProperties(directory: string, fileSystem: FileSystem): MetaProperties | undefined {
  const path = `${directory}/${META_PROPERTIES_FILE}`;
  if (!fileSystem.exists(path)) return undefined;
  const values = parseProperties(fileSystem.readFile(path).toString('latin1'));
  if (!KNOWN_KEYS.some((key) => values.has(key))) throw corrupt(path, 'it says nothing that a meta.properties says');
  const version = Number(values.get('version') ?? '0');
  if (version !== 0 && version !== VERSION) throw corrupt(path, `version ${version} is not known`);
  const node = values.get(version === VERSION ? 'node.id' : 'broker.id');
  const clusterId = values.get('cluster.id');
  if (node !== undefined && !/^\d+$/.test(node)) throw corrupt(path, `the node id '${node}' is no number`);
  if (version === VERSION && (node === undefined || clusterId === undefined)) {
    throw corrupt(path, 'cluster.id or node.id is missing');
  }
  const directoryId = values.get('directory.id');
  if (directoryId !== undefined && uuidToBytes(directoryId) === undefined) {
    throw corrupt(path, `the directory id '${directoryId}' is no id`);
  }
  return { clusterId, nodeId: node === undefined ? undefined : Number(node), directoryId };
}

/** The cluster that the first of the directories belongs to which says so; those that cannot be read are passed over. */
export function clusterIdIn(directories: readonly string[], fileSystem: FileSystem): string | undefined {
  for (const directory of directories) {
    try {
      const clusterId = readMetaProperties(directory, fileSystem)?.clusterId;
      if (clusterId !== undefined) return clusterId;
    } catch {
      // Whoever claims the directory tells what is wrong with it.
    }
  }
  return undefined;
}

function corrupt(path: string, what: string): SluiceError {
  return new SluiceError('CORRUPT_META_PROPERTIES', `${path} cannot be used: ${what}`, {
    remedy: 'Restore the file from another directory of the same node, with a directory.id of its own.',
  });
}

/** The content of a file of version 1. */
export function encodeMetaProperties(properties: {
  readonly clusterId: string;
  readonly nodeId: BrokerId;
  readonly directoryId: Uuid;
}): Buffer {
  const lines = [
    '#',
    `version=${VERSION}`,
    `cluster.id=${escapeValue(properties.clusterId)}`,
    `node.id=${properties.nodeId}`,
    `directory.id=${properties.directoryId}`,
  ];
  return Buffer.from(`${lines.join('\n')}\n`, 'latin1');
}

function escapeValue(value: string): string {
  return value.replace(/[\\:=#!]/g, '\\$&');
}

function parseProperties(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*([^#!=:\s][^=:\s]*)\s*[=:]\s*(.*)$/.exec(line);
    if (match !== null) values.set(match[1]!, match[2]!.trimEnd().replace(/\\(.)/g, '$1'));
  }
  return values;
}
