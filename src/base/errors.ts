/** What a `SluiceError` tells its reader besides the message. */
export interface SluiceErrorDetails {
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retriable?: boolean;
  /** What the person who reads this can do about it: one imperative sentence. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/**
 * An operational failure: the environment or a peer did something that the caller must handle. Bugs are
 * assertions; refusals that Kafka's protocol knows are error codes returned as data.
 */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  /** Stable identifier, e.g. `DIRECTORY_LOCKED`; part of the public interface. */
  readonly code: string;
  readonly retriable: boolean;
  readonly remedy: string | undefined;

  constructor(code: string, message: string, details: SluiceErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retriable = details.retriable ?? false;
    this.remedy = details.remedy;
  }
}

/** The `code` of an error from the operating system (`ENOENT`, `EADDRINUSE`, ...), or undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
