/** Medians, spreads and ratios of samples, and the table that shows them. */

export interface Sample {
  readonly system: string;
  readonly round: number;
  readonly measure: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly value: number;
}

export interface Figure {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export interface Row {
  readonly measure: string;
  readonly unit: string;
  readonly better: Sample['better'];
  readonly figures: Readonly<Record<string, Figure>>;
  /** A system's median over Kafka's. */
  readonly ratios: Readonly<Record<string, number>>;
}

const PEER = 'kafka';

export function summarize(samples: readonly Sample[]): Row[] {
  const measures = new Map(samples.map((sample) => [sample.measure, sample]));
  const systems = [...new Set(samples.map(({ system }) => system))];
  return [...measures.values()].map(({ measure, unit, better }) => {
    const figures: Record<string, Figure> = {};
    for (const system of systems) {
      const found = figure(samples.filter((sample) => sample.measure === measure && sample.system === system));
      if (found !== undefined) figures[system] = found;
    }
    const peer = figures[PEER];
    const ratios: Record<string, number> = {};
    for (const [system, { median }] of Object.entries(figures)) {
      if (peer !== undefined && system !== PEER) ratios[system] = median / peer.median;
    }
    return { measure, unit, better, figures, ratios };
  });
}

/** The smallest value that `share` of all do not exceed; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

function figure(samples: readonly Sample[]): Figure | undefined {
  const values = samples.map(({ value }) => value).sort((one, other) => one - other);
  if (values.length === 0) return undefined;
  const middle = Math.floor(values.length / 2);
  const median = values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2;
  return { median, least: values[0]!, most: values.at(-1)! };
}

/** Cells are medians, in brackets the least and the most; a column a system, by its name and what it is called. */
export function markdownTable(rows: readonly Row[], systems: Readonly<Record<string, string>>): string {
  const names = Object.keys(systems);
  const compared = names.filter((name) => rows.some(({ ratios }) => ratios[name] !== undefined));
  const lines = rows.map(({ measure, unit, better, figures, ratios }) => {
    const cells = [measure, unit, better, ...names.map((name) => cell(figures[name]))];
    const told = compared.map((name) => (ratios[name] === undefined ? '' : `${ratios[name].toFixed(2)}×`));
    return tableRow([...cells, ...told]);
  });
  const titles = [...Object.values(systems), ...compared.map((name) => `${systems[name]} / ${systems[PEER]}`)];
  const rule = `|---|---|---|${'---:|'.repeat(titles.length)}`;
  return [tableRow(['measure', 'unit', 'better', ...titles]), rule, ...lines].join('\n');
}

function tableRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function cell(figure: Figure | undefined): string {
  if (figure === undefined) return '';
  const { median, least, most } = figure;
  return least === most ? shown(median) : `${shown(median)} (${shown(least)}-${shown(most)})`;
}

function shown(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
