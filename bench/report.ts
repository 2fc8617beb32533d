/** Medians, spreads and ratios of samples, and the table that shows them. */
import type { Sample, System } from './measures.ts';

export interface Figure {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export interface Row {
  readonly measure: string;
  readonly unit: string;
  readonly better: Sample['better'];
  readonly sluice: Figure | undefined;
  readonly kafka: Figure | undefined;
  /** Sluice's median over Kafka's. */
  readonly ratio: number | undefined;
}

export function summarize(samples: readonly Sample[]): Row[] {
  const measures = new Map(samples.map((sample) => [sample.measure, sample]));
  return [...measures.values()].map(({ measure, unit, better }) => {
    const figureOf = (system: System) =>
      figure(samples.filter((sample) => sample.measure === measure && sample.system === system));
    const sluice = figureOf('sluice');
    const kafka = figureOf('kafka');
    const ratio = sluice === undefined || kafka === undefined ? undefined : sluice.median / kafka.median;
    return { measure, unit, better, sluice, kafka, ratio };
  });
}

function figure(samples: readonly Sample[]): Figure | undefined {
  const values = samples.map(({ value }) => value).sort((one, other) => one - other);
  if (values.length === 0) return undefined;
  const middle = Math.floor(values.length / 2);
  const median = values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2;
  return { median, least: values[0]!, most: values.at(-1)! };
}

/** Cells are medians, in brackets the least and the most. */
export function markdownTable(rows: readonly Row[]): string {
  const lines = rows.map(({ measure, unit, better, sluice, kafka, ratio }) => {
    const told = ratio === undefined ? '' : `${ratio.toFixed(2)}×`;
    return `| ${measure} | ${unit} | ${better} | ${cell(sluice)} | ${cell(kafka)} | ${told} |`;
  });
  const head = '| measure | unit | better | Sluice | Apache Kafka | Sluice / Kafka |\n|---|---|---|---:|---:|---:|';
  return [head, ...lines].join('\n');
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
