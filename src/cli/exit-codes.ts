/** How a command ends: what scripts may rely on. docs/cli.md tells the same. */
import { SluiceError } from '../base/errors.ts';

export const ExitCode = {
  /** All was done; nothing is wrong. */
  OK: 0,
  /** Something was refused, failed, or found to be wrong. */
  FAILED: 1,
  /** The command line makes no sense; nothing was tried. */
  USAGE: 2,
  /** No broker answers. */
  UNREACHABLE: 3,
  /** A defect of this program. */
  DEFECT: 70,
} as const;

const USAGE_ERRORS = new Set(['INVALID_ARGUMENT', 'INVALID_OPTION', 'INVALID_BOOTSTRAP_SERVERS', 'UNKNOWN_PROFILE']);
const UNREACHABLE_ERRORS = new Set(['CLUSTER_UNREACHABLE', 'BROKER_UNREACHABLE', 'NOT_A_BROKER']);

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof SluiceError)) return ExitCode.FAILED;
  if (USAGE_ERRORS.has(error.code)) return ExitCode.USAGE;
  return UNREACHABLE_ERRORS.has(error.code) ? ExitCode.UNREACHABLE : ExitCode.FAILED;
}
