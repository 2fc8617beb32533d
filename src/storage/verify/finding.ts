/** What an offline check of a data directory finds, and how it is reported: at once, so that nothing piles up. */
import type { Offset } from '../../base/units.ts';

/** `error`: data or what readers see of it is wrong. `warning`: something is built again. `note`: nothing is wrong. */
export type Severity = 'error' | 'warning' | 'note';

export interface Finding {
  readonly severity: Severity;
  readonly path: string;
  /** Byte in the file. */
  readonly position?: number;
  readonly offset?: Offset;
  readonly problem: string;
  /** What the next start of a broker does about it, or what somebody has to do. */
  readonly recovery: string;
}

/** Findings of one kind in one file that are told one by one. */
const TOLD_EACH = 10;

/** Reports findings, of many alike only the first and how many there were. */
export class Findings {
  readonly #report: (finding: Finding) => void;
  readonly #untold = new Map<string, { finding: Finding; count: number }>();
  readonly counts: Record<Severity, number> = { error: 0, warning: 0, note: 0 };

  constructor(report: (finding: Finding) => void) {
    this.#report = report;
  }

  add(finding: Finding): void {
    this.counts[finding.severity]++;
    const key = `${finding.path}\n${finding.recovery}`;
    const alike = this.#untold.get(key) ?? { finding, count: 0 };
    this.#untold.set(key, alike);
    if (++alike.count <= TOLD_EACH) this.#report(finding);
  }

  /** Tells how many were left out. Call when a file is done. */
  flush(): void {
    for (const { finding, count } of this.#untold.values()) {
      if (count <= TOLD_EACH) continue;
      const { severity, path, recovery } = finding;
      this.#report({ severity, path, problem: `${count - TOLD_EACH} more of this kind`, recovery });
    }
    this.#untold.clear();
  }
}
