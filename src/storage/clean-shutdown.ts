/**
 * `.kafka_cleanshutdown`: the last process to write to a log directory said at its end that everything in it is in order.
 * Removed before anything is written again, so that it can never speak for another run.
 */
import type { FileSystem } from '../base/file-system.ts';

export const CLEAN_SHUTDOWN_FILE = '.kafka_cleanshutdown';
export const NO_BROKER_EPOCH = -1;
const VERSION = 0;

/** Removes the marker; returns the broker epoch in it, -1 where it has none, or undefined where there was no marker. */
export function takeCleanShutdown(directory: string, fileSystem: FileSystem): number | undefined {
  const path = `${directory}/${CLEAN_SHUTDOWN_FILE}`;
  if (!fileSystem.exists(path)) return undefined;
  const text = fileSystem.readFile(path).toString('utf8');
  fileSystem.remove(path);
  fileSystem.syncDirectory(directory);
  // Kafka before 3.8 left the file empty: its presence is what counts.
  const match = /"brokerEpoch"\s*:\s*(-?\d+)/.exec(text);
  return match === null ? NO_BROKER_EPOCH : Number(match[1]);
}

export function writeCleanShutdown(directory: string, brokerEpoch: number, fileSystem: FileSystem): void {
  const content = JSON.stringify({ version: VERSION, brokerEpoch });
  fileSystem.replaceFile(`${directory}/${CLEAN_SHUTDOWN_FILE}`, Buffer.from(content));
}
