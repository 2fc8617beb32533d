/** What the doctor found: each with what to do about it. */

export type Severity = 'ok' | 'note' | 'warning' | 'error';

export interface Finding {
  /** Stable name of what was looked at, such as `advertised-listener`. */
  readonly check: string;
  readonly severity: Severity;
  readonly message: string;
  /** What to do; null where nothing is to be done. */
  readonly remedy: string | null;
  /** The broker that it is about, where it is about one. */
  readonly broker: number | null;
}

/** Gathers findings and hands each on as it comes. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #onFinding: (finding: Finding) => void;

  constructor(onFinding: (finding: Finding) => void = () => undefined) {
    this.#onFinding = onFinding;
  }

  ok(check: string, message: string, broker: number | null = null): void {
    this.#add({ check, severity: 'ok', message, remedy: null, broker });
  }

  note(check: string, message: string, remedy: string | null, broker: number | null = null): void {
    this.#add({ check, severity: 'note', message, remedy, broker });
  }

  warning(check: string, message: string, remedy: string, broker: number | null = null): void {
    this.#add({ check, severity: 'warning', message, remedy, broker });
  }

  error(check: string, message: string, remedy: string, broker: number | null = null): void {
    this.#add({ check, severity: 'error', message, remedy, broker });
  }

  count(severity: Severity): number {
    return this.all.filter((finding) => finding.severity === severity).length;
  }

  #add(finding: Finding): void {
    this.all.push(finding);
    this.#onFinding(finding);
  }
}
