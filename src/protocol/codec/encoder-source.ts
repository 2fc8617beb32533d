/**
 * Generates the text of an encoder for one schema and version: one function a struct, taking a Writer and a value in
 * which fields may be missing. Missing means the default; null is a value and refused where the version has no null.
 */
import type { Field, Fields, MessageSchema, ScalarKind } from '../schema.ts';
import { elementLayout, type FieldLayout, layoutOf } from './layout.ts';
import { defaultExpression, indent, nested, variable } from './source-text.ts';

interface Generation {
  readonly schema: MessageSchema;
  readonly version: number;
  readonly functions: string[];
  readonly testers: Set<string>;
}

/** The text of a function body that returns the encoder; it expects `NO_BYTES` in scope. */
export function encoderSource(schema: MessageSchema, version: number): string {
  const generation: Generation = { schema, version, functions: [], testers: new Set() };
  const name = addStruct(generation, schema.name, schema.fields);
  return [...generation.functions, `return ${name};`].join('\n');
}

function addStruct(generation: Generation, owner: string, fields: Fields): string {
  const { schema, version, functions } = generation;
  const layout = layoutOf(schema, fields, version);
  const taken: string[] = [];
  const lines: string[] = [];
  for (const field of layout.fields) {
    if (field.place === 'absent' && field.field.ignorable) continue;
    taken.push(binding(field.name, field.field));
    if (field.place === 'absent') {
      const test = isDefault(generation, owner, field.name, field.field);
      lines.push(`if (!(${test})) w.refuseField('${owner}.${field.name}', ${version});`);
    } else if (field.place === 'inline') {
      lines.push(...writeField(generation, owner, field));
    }
  }
  if (layout.tagged.length > 0) lines.push(...writeTagged(generation, owner, layout.tagged));
  else if (layout.flexible) lines.push('w.unsignedVarint(0);');
  const head = taken.length === 0 ? [] : [`const { ${taken.join(', ')} } = value;`];
  functions.push([`function write${owner}(w, value) {`, ...indent([...head, ...lines]), '}'].join('\n'));
  return `write${owner}`;
}

/** A member of a destructuring pattern: undefined and missing become the default. */
function binding(name: string, field: Field): string {
  const local = variable(name);
  const absent = field.kind === 'struct' && field.defaultValue !== null ? '{}' : defaultExpression(field);
  return `${local === name ? name : `${name}: ${local}`} = ${absent}`;
}

function writeField(generation: Generation, owner: string, layout: FieldLayout): string[] {
  const name = variable(layout.name);
  const { kind } = layout.field;
  if (kind === 'array') return writeArray(generation, owner, layout);
  if (kind !== 'struct') return [`w.${writeMethod(kind as ScalarKind, layout)}(${name});`];
  const write = `${addStruct(generation, nested(owner, layout.name), layout.field.fields!)}(w, ${name});`;
  if (!layout.nullable) return [`if (${name} === null) w.refuse(null, 'a struct');`, write];
  const [absent, present] =
    layout.place === 'tagged' ? ['w.unsignedVarint(0);', 'w.unsignedVarint(1);'] : ['w.int8(-1);', 'w.int8(1);'];
  return [`if (${name} === null) {`, `  ${absent}`, '} else {', `  ${present}`, `  ${write}`, '}'];
}

function writeArray(generation: Generation, owner: string, layout: FieldLayout): string[] {
  const name = variable(layout.name);
  const element = elementLayout(layout);
  const { kind } = element.field;
  const write =
    kind === 'struct'
      ? `${addStruct(generation, nested(owner, layout.name), element.field.fields!)}(w, ${name}[index]);`
      : `w.${writeMethod(kind as ScalarKind, element)}(${name}[index]);`;
  const loop = [`for (let index = 0; index < ${name}.length; index++) {`, `  ${write}`, '}'];
  const count = `w.${method('count', layout)}(${name});`;
  return layout.nullable ? [count, `if (${name} !== null) {`, ...indent(loop), '}'] : [count, ...loop];
}

function writeMethod(kind: ScalarKind, layout: FieldLayout): string {
  if (kind === 'bytes') return method('byteField', layout);
  return kind === 'string' || kind === 'records' ? method(kind, layout) : kind;
}

function method(base: string, layout: FieldLayout): string {
  const name = layout.nullable ? nested('nullable', base) : base;
  return layout.compact ? nested('compact', name) : name;
}

/** A tagged field is there exactly when its value is not the default. */
function writeTagged(generation: Generation, owner: string, tagged: readonly FieldLayout[]): string[] {
  const lines: string[] = [];
  const flags = tagged.map((layout) => nested('has', layout.name));
  tagged.forEach((layout, index) => {
    lines.push(`const ${flags[index]} = !(${isDefault(generation, owner, layout.name, layout.field)});`);
  });
  lines.push(`w.unsignedVarint(${flags.map((flag) => `(${flag} ? 1 : 0)`).join(' + ')});`);
  tagged.forEach((layout, index) => {
    const body = [
      `const mark = w.openTagged(${layout.field.tag});`,
      ...writeField(generation, owner, layout),
      'w.closeTagged(mark);',
    ];
    lines.push(`if (${flags[index]}) {`, ...indent(body), '}');
  });
  return lines;
}

/** An expression that tells whether the local variable of a field holds its default. */
function isDefault(generation: Generation, owner: string, name: string, field: Field): string {
  const local = variable(name);
  if (field.defaultValue === null) return `${local} === null`;
  switch (field.kind) {
    case 'array':
    case 'bytes':
    case 'records':
      return `${local} !== null && ${local}.length === 0`;
    case 'struct':
      return `${local} !== null && ${addTester(generation, nested(owner, name), field.fields!)}(${local})`;
    default:
      return `${local} === ${defaultExpression(field)}`;
  }
}

function addTester(generation: Generation, owner: string, fields: Fields): string {
  const tester = `isDefault${owner}`;
  if (generation.testers.has(tester)) return tester;
  generation.testers.add(tester);
  const taken: string[] = [];
  const tests: string[] = [];
  for (const [name, field] of Object.entries(fields)) {
    taken.push(binding(name, field));
    tests.push(isDefault(generation, owner, name, field));
  }
  generation.functions.push(
    [
      `function ${tester}(value) {`,
      `  const { ${taken.join(', ')} } = value;`,
      `  return ${tests.join(' && ') || 'true'};`,
      '}',
    ].join('\n'),
  );
  return tester;
}
