/** The syntax of Java's .properties files. */

export interface Property {
  readonly name: string;
  readonly value: string;
  /** Line on which it begins, from 1. */
  readonly line: number;
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

/**
 * Reads comments (# and !), continuation lines (an odd number of backslashes at the end), separators (=, : or white
 * space) and escapes, as java.util.Properties.load. A name that stands twice comes twice, the later one last.
 */
export function parseProperties(text: string): Property[] {
  const properties: Property[] = [];
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1;
    let logical = lines[index]!.replace(/^[ \t\f]+/, '');
    if (logical === '' || logical.startsWith('#') || logical.startsWith('!')) continue;
    while (endsInContinuation(logical)) {
      index++;
      logical = logical.slice(0, -1) + (lines[index] ?? '').replace(/^[ \t\f]+/, '');
      if (index >= lines.length) break;
    }
    properties.push({ ...splitProperty(logical), line });
  }
  return properties;
}

function endsInContinuation(line: string): boolean {
  const backslashes = /\\+$/.exec(line)?.[0].length ?? 0;
  return backslashes % 2 === 1;
}

function splitProperty(line: string): { name: string; value: string } {
  let at = 0;
  while (at < line.length && !/[=: \t\f]/.test(line[at]!)) at += line[at] === '\\' ? 2 : 1;
  const rest = /^[ \t\f]*[=:]?[ \t\f]*/.exec(line.slice(at))![0].length;
  return { name: withoutEscapes(line.slice(0, at)), value: withoutEscapes(line.slice(at + rest)) };
}

function withoutEscapes(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.|$)/gs, (_, escaped: string) => {
    if (escaped.length === 5) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return ESCAPES[escaped] ?? escaped;
  });
}
