/** Pieces of text that the decoder's and the encoder's generators share. */
import { assert } from '../../base/assert.ts';
import { type Field, INT64_MAX } from '../schema.ts';

const RESERVED = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval export extends ' +
    'false finally for function if implements import in instanceof interface let new null package private protected ' +
    'public return static super switch this throw true try typeof var void while with yield ' +
    'r w value index tag end left mark'
  ).split(' '),
);

/** The name of the local variable that holds a field. */
export function variable(name: string): string {
  assert(/^[A-Za-z][A-Za-z0-9]*$/.test(name), `${name} can stand in generated code`);
  return RESERVED.has(name) ? `${name}_` : name;
}

/** `partitionData` inside `TopicData` becomes `TopicDataPartitionData`. */
export function nested(owner: string, name: string): string {
  return `${owner}${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

/** An expression for a field's default value; every evaluation gives a fresh object where it is one. */
export function defaultExpression(field: Field): string {
  if (field.defaultValue === null) return 'null';
  switch (field.kind) {
    case 'array':
      return '[]';
    case 'bytes':
    case 'records':
      return 'NO_BYTES';
    case 'struct':
      return `{ ${Object.entries(field.fields!)
        .map(([name, inner]) => `${name}: ${defaultExpression(inner)}`)
        .join(', ')} }`;
    case 'wideInt64':
      return `${field.defaultValue}n`;
    default:
      return field.defaultValue === INT64_MAX ? '2 ** 63' : JSON.stringify(field.defaultValue);
  }
}

/** Indents every line of a block by one step. */
export function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
