/**
 * Generates the text of a decoder for one schema and version: one function a struct, taking a Reader and returning
 * an object with every field of the schema in declared order, so that all versions yield objects of one hidden class.
 */
import type { Fields, MessageSchema, ScalarKind } from '../schema.ts';
import { elementLayout, type FieldLayout, layoutOf, leastBytes } from './layout.ts';
import { defaultExpression, indent, nested, variable } from './source-text.ts';

interface Generation {
  readonly schema: MessageSchema;
  readonly version: number;
  readonly functions: string[];
}

/** The text of a function body that returns the decoder; it expects `NO_BYTES` in scope. */
export function decoderSource(schema: MessageSchema, version: number): string {
  const generation: Generation = { schema, version, functions: [] };
  const name = addStruct(generation, schema.name, schema.fields);
  return [...generation.functions, `return ${name};`].join('\n');
}

function addStruct(generation: Generation, owner: string, fields: Fields): string {
  const { schema, version, functions } = generation;
  const layout = layoutOf(schema, fields, version);
  const lines: string[] = [];
  for (const field of layout.fields) {
    const name = variable(field.name);
    if (field.place === 'inline') lines.push(...readField(generation, owner, field, `const ${name}`));
    else lines.push(`${field.place === 'tagged' ? 'let' : 'const'} ${name} = ${defaultExpression(field.field)};`);
  }
  if (layout.tagged.length > 0) lines.push(...readTagged(generation, owner, layout.tagged));
  else if (layout.flexible) lines.push('r.skipTagged();');
  const members = layout.fields.map(({ name }) => (variable(name) === name ? name : `${name}: ${variable(name)}`));
  lines.push(`return { ${members.join(', ')} };`);
  functions.push([`function read${owner}(r) {`, ...indent(lines), '}'].join('\n'));
  return `read${owner}`;
}

/** Statements that read a field and assign it; `target` is `const x` or `x`. */
function readField(generation: Generation, owner: string, layout: FieldLayout, target: string): string[] {
  if (layout.field.kind === 'array') return readArray(generation, owner, layout, target);
  return [`${target} = ${readExpression(generation, owner, layout)};`];
}

function readArray(generation: Generation, owner: string, layout: FieldLayout, target: string): string[] {
  const element = elementLayout(layout);
  // An element without any bytes would let a count claim anything; the cap on elements alone bounds it then.
  const least = leastBytes(generation.schema, element, generation.version);
  const name = variable(layout.name);
  const count = `${layout.name}Count`;
  const make = `new Array(${count})`;
  return [
    `const ${count} = r.${method('count', layout)}(${least});`,
    `${target} = ${layout.nullable ? `${count} < 0 ? null : ${make}` : make};`,
    `for (let index = 0; index < ${count}; index++) {`,
    `  ${name}[index] = ${readExpression(generation, owner, element)};`,
    '}',
  ];
}

function readExpression(generation: Generation, owner: string, layout: FieldLayout): string {
  const { kind } = layout.field;
  if (kind === 'struct') {
    const read = `${addStruct(generation, nested(owner, layout.name), layout.field.fields!)}(r)`;
    if (!layout.nullable) return read;
    return `r.${layout.place === 'tagged' ? 'presentTagged' : 'present'}() ? ${read} : null`;
  }
  return `r.${readMethod(kind as ScalarKind, layout)}()`;
}

function readMethod(kind: ScalarKind, layout: FieldLayout): string {
  if (kind === 'string') return method('string', layout);
  if (kind === 'bytes' || kind === 'records') return method('byteView', layout);
  return kind;
}

/** `string`, `nullableString`, `compactString` or `compactNullableString`. */
function method(base: string, layout: FieldLayout): string {
  const name = layout.nullable ? nested('nullable', base) : base;
  return layout.compact ? nested('compact', name) : name;
}

function readTagged(generation: Generation, owner: string, tagged: readonly FieldLayout[]): string[] {
  const cases = tagged.flatMap((layout) => [
    `case ${layout.field.tag}: {`,
    ...indent([...readField(generation, owner, layout, variable(layout.name)), 'r.closeTagged(end);', 'break;']),
    '}',
  ]);
  return [
    'for (let left = r.taggedCount(); left > 0; left--) {',
    '  const tag = r.unsignedVarint();',
    '  const end = r.taggedEnd();',
    '  switch (tag) {',
    ...indent(indent([...cases, 'default:', '  r.at = end;'])),
    '  }',
    '}',
  ];
}
