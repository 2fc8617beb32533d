/** Compares two normalised answers and tells every place where they part. */

export type Comparable =
  | string
  | number
  | boolean
  | null
  | readonly Comparable[]
  | { readonly [name: string]: Comparable };

export interface Difference {
  /** Way to the place: `topics[0].partitions[1].errorCode`; named elements by their name. */
  readonly path: string;
  readonly kafka: string;
  readonly sluice: string;
}

const LONGEST_SHOWN = 600;

export function compare(kafka: Comparable, sluice: Comparable, path = ''): Difference[] {
  if (Array.isArray(kafka) && Array.isArray(sluice)) return compareArrays(kafka, sluice, path);
  if (isStruct(kafka) && isStruct(sluice)) {
    const names = new Set([...Object.keys(kafka), ...Object.keys(sluice)]);
    return [...names].flatMap((name) =>
      compare(kafka[name] ?? null, sluice[name] ?? null, path === '' ? name : `${path}.${name}`),
    );
  }
  return kafka === sluice ? [] : [{ path, kafka: shown(kafka), sluice: shown(sluice) }];
}

function compareArrays(kafka: readonly Comparable[], sluice: readonly Comparable[], path: string): Difference[] {
  const named = isNamed(kafka) && isNamed(sluice);
  if (!named) {
    const differences: Difference[] = [];
    for (let index = 0; index < Math.max(kafka.length, sluice.length); index++) {
      differences.push(...compareElement(kafka[index], sluice[index], `${path}[${index}]`));
    }
    return differences;
  }
  const [ofKafka, ofSluice] = [byName(kafka), byName(sluice)];
  return [...new Set([...ofKafka.keys(), ...ofSluice.keys()])].flatMap((name) =>
    compareElement(ofKafka.get(name), ofSluice.get(name), `${path}[${name}]`),
  );
}

function compareElement(kafka: Comparable | undefined, sluice: Comparable | undefined, path: string): Difference[] {
  if (kafka === undefined) return [{ path, kafka: 'absent', sluice: shown(sluice!) }];
  if (sluice === undefined) return [{ path, kafka: shown(kafka), sluice: 'absent' }];
  return compare(kafka, sluice, path);
}

/** Elements with distinct names (configs, topics) are compared by name, so that one more does not shift the rest. */
function isNamed(elements: readonly Comparable[]): boolean {
  return byName(elements).size === elements.length && elements.length > 0;
}

function byName(elements: readonly Comparable[]): Map<string, Comparable> {
  const named = new Map<string, Comparable>();
  for (const element of elements) {
    if (isStruct(element) && typeof element['name'] === 'string') named.set(element['name'], element);
  }
  return named;
}

function isStruct(value: Comparable): value is { readonly [name: string]: Comparable } {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function shown(value: Comparable): string {
  const text = JSON.stringify(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}… (${text.length})` : text;
}
