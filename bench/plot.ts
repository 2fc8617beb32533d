/**
 * Plots as SVG, by themselves: lines over one horizontal and one vertical axis (each linear or by powers of ten), and
 * bars of ratios. No dependency, no script inside.
 */

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Axis {
  readonly label: string;
  readonly scale: 'linear' | 'log';
}

export interface Plot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
}

const WIDTH = 640;
const HEIGHT = 380;
const LEFT = 76;
const RIGHT = 24;
const TOP = 44;
const BOTTOM = 84;
const COLOURS = ['#1f6feb', '#d1572b', '#2b8a3e', '#8e44ad', '#b8860b', '#00838f'];
const LINEAR_STEPS = 5;
const FONT = 'font-family="system-ui, sans-serif" font-size="12"';

/** Maps values of one axis to pixels and names its ticks. */
interface Ruler {
  readonly ticks: readonly number[];
  place(value: number): number;
}

function ruler(values: readonly number[], scale: Axis['scale'], from: number, to: number): Ruler {
  const least = Math.min(...values);
  const most = Math.max(...values);
  if (scale === 'log') {
    const low = Math.floor(Math.log10(least));
    const high = Math.max(low + 1, Math.ceil(Math.log10(most)));
    const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
    return { ticks, place: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from) };
  }
  const step = roundStep(most / LINEAR_STEPS);
  const steps = Math.max(1, Math.ceil(most / step));
  const ticks = Array.from({ length: steps + 1 }, (_, index) => index * step);
  return { ticks, place: (value) => from + (value / (steps * step)) * (to - from) };
}

/** The next of 1, 2, 5 times a power of ten. */
function roundStep(wanted: number): number {
  if (!(wanted > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= wanted)!;
}

/** Whether a value has a place on the axis. */
function fits(value: number, { scale }: Axis): boolean {
  return Number.isFinite(value) && (scale === 'log' ? value > 0 : value >= 0);
}

/** A whole SVG document. Points that an axis cannot show are left out; a plot of no points says so. */
export function svg(plot: Plot): string {
  const lines = plot.lines.map(({ name, points }) => ({
    name,
    points: points.filter(([x, y]) => fits(x, plot.x) && fits(y, plot.y)),
  }));
  const points = lines.flatMap((line) => line.points);
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" ${FONT}>`;
  const paper = `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`;
  const title = text(WIDTH / 2, 24, plot.title, 'middle', 'font-weight="600" font-size="14"');
  const body =
    points.length === 0
      ? [text(WIDTH / 2, HEIGHT / 2, 'nothing was measured', 'middle')]
      : drawing(plot, lines, {
          x: ruler(
            points.map(([x]) => x),
            plot.x.scale,
            LEFT,
            WIDTH - RIGHT,
          ),
          y: ruler(
            points.map(([, y]) => y),
            plot.y.scale,
            HEIGHT - BOTTOM,
            TOP,
          ),
        });
  return [open, paper, title, ...body, '</svg>', ''].join('\n');
}

export interface Bars {
  readonly title: string;
  readonly bars: readonly { readonly name: string; readonly value: number }[];
}

const BAR_HEIGHT = 20;
const NAMES_WIDTH = 400;
const BARS_WIDTH = 860;
const WORSE_COLOUR = COLOURS[1]!;
const BETTER_COLOUR = COLOURS[0]!;

/** Ratios on an axis by powers of ten: to the right of 1 is better, to the left worse. */
export function bars({ title, bars: all }: Bars): string {
  const shownBars = all.filter(({ value }) => value > 0 && Number.isFinite(value));
  const height = TOP + shownBars.length * BAR_HEIGHT + 24;
  const reach = Math.max(1, ...shownBars.map(({ value }) => Math.abs(Math.log10(value))));
  const half = (BARS_WIDTH - NAMES_WIDTH - 2 * RIGHT - 40) / 2;
  const middle = NAMES_WIDTH + RIGHT + half;
  const drawn = shownBars.flatMap(({ name, value }, index) => {
    const top = TOP + index * BAR_HEIGHT;
    const length = (Math.log10(value) / reach) * half;
    const from = Math.min(middle, middle + length);
    const colour = value >= 1 ? BETTER_COLOUR : WORSE_COLOUR;
    const size = `width="${pixel(Math.abs(length))}" height="${BAR_HEIGHT - 6}"`;
    return [
      text(NAMES_WIDTH, top + 12, name, 'end'),
      `<rect x="${pixel(from)}" y="${top + 1}" ${size} fill="${colour}"/>`,
      text(Math.max(middle, middle + length) + 6, top + 12, `${value.toPrecision(3)}×`, 'start'),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${BARS_WIDTH} ${height}" ${FONT}>`,
    `<rect width="${BARS_WIDTH}" height="${height}" fill="#fff"/>`,
    text(BARS_WIDTH / 2, 24, title, 'middle', 'font-weight="600" font-size="14"'),
    ...drawn,
    `<line x1="${pixel(middle)}" y1="${TOP}" x2="${pixel(middle)}" y2="${height - 24}" stroke="#333"/>`,
    '</svg>',
    '',
  ].join('\n');
}

function drawing(plot: Plot, lines: readonly Line[], rulers: { readonly x: Ruler; readonly y: Ruler }): string[] {
  const floor = HEIGHT - BOTTOM;
  const vertical = rulers.x.ticks.flatMap((tick) => {
    const x = rulers.x.place(tick);
    return [stroke([x, TOP], [x, floor]), text(x, floor + 18, shortened(tick), 'middle')];
  });
  const horizontal = rulers.y.ticks.flatMap((tick) => {
    const y = rulers.y.place(tick);
    return [stroke([LEFT, y], [WIDTH - RIGHT, y]), text(LEFT - 8, y + 4, shortened(tick), 'end')];
  });
  const middle = (TOP + floor) / 2;
  const labels = [
    text((LEFT + WIDTH - RIGHT) / 2, floor + 38, plot.x.label, 'middle'),
    text(18, middle, plot.y.label, 'middle', `transform="rotate(-90 18 ${middle})"`),
  ];
  const drawn = lines.flatMap(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const places = points.map(([x, y]) => [rulers.x.place(x), rulers.y.place(y)] as const);
    const path = places.map(([x, y]) => `${pixel(x)},${pixel(y)}`).join(' ');
    const dots = places.map(([x, y]) => `<circle cx="${pixel(x)}" cy="${pixel(y)}" r="3" fill="${colour}"/>`);
    const left = LEFT + ((WIDTH - LEFT - RIGHT) / lines.length) * index;
    const key = `<rect x="${pixel(left)}" y="${HEIGHT - 26}" width="14" height="4" fill="${colour}"/>`;
    const line = `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`;
    return [line, ...dots, key, text(left + 20, HEIGHT - 20, name, 'start')];
  });
  return [...vertical, ...horizontal, ...labels, ...drawn];
}

function stroke([x1, y1]: readonly [number, number], [x2, y2]: readonly [number, number]): string {
  return `<line x1="${pixel(x1)}" y1="${pixel(y1)}" x2="${pixel(x2)}" y2="${pixel(y2)}" stroke="#ddd"/>`;
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end', more = ''): string {
  const safe = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${pixel(x)}" y="${pixel(y)}" text-anchor="${anchor}" ${more}>${safe}</text>`;
}

const pixel = (value: number): string => value.toFixed(1);

/** 1500000 as 1.5M. */
function shortened(value: number): string {
  const units = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const;
  const unit = units.find(([size]) => value >= size);
  return unit === undefined
    ? String(Number(value.toPrecision(3)))
    : `${Number((value / unit[0]).toPrecision(3))}${unit[1]}`;
}
