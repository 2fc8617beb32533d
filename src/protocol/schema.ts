/**
 * The schema language: a message is declared once as data, for all its versions; its TypeScript types are inferred
 * from the declaration. Nothing here reads or writes bytes (see codec/).
 *
 * Version ranges are written as in Kafka's own definitions: '3', '0-12', '9+', 'none'.
 */
import type { FileRegion } from '../base/file-region.ts';
import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { parseVersions, type VersionRange } from './versions.ts';

export type ScalarKind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'int64'
  | 'wideInt64'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | 'records';
export type FieldKind = ScalarKind | 'struct' | 'array';

declare const decodedType: unique symbol;
declare const encodableType: unique symbol;
declare const optionalFlag: unique symbol;

/**
 * One field. `Decoded` is what a decoder yields, `Encodable` what an encoder takes; `Optional` tells whether an
 * encoder's caller may leave it out.
 */
export interface Field<Decoded = unknown, Encodable = unknown, Optional extends boolean = boolean> {
  readonly kind: FieldKind;
  readonly versions: VersionRange;
  /** Versions in which null is allowed. */
  readonly nullable: VersionRange;
  /** Versions in which the field travels as a tagged field, and its tag there. */
  readonly tagged: VersionRange;
  readonly tag: number | undefined;
  /** Overrides the message's flexible versions (only RequestHeader's client id does). */
  readonly flexible: VersionRange | undefined;
  /** The value where a version lacks the field or a sender left it out. For arrays null or empty. */
  readonly defaultValue: unknown;
  /** Whether a value other than the default may be dropped silently in a version that lacks the field. */
  readonly ignorable: boolean;
  readonly element: Field | undefined;
  readonly fields: Fields | undefined;
  readonly [decodedType]?: Decoded;
  readonly [encodableType]?: Encodable;
  readonly [optionalFlag]?: Optional;
}

/**
 * Stands for the wire's 2^63 - 1 ("unknown"), the one 64-bit value that is not a safe integer and yet is a legal
 * default. As a number it is 2^63; the codecs translate both ways.
 */
export const INT64_MAX = 2 ** 63;

export type Fields = Readonly<Record<string, Field>>;

type DecodedOf<F> = F extends Field<infer D, unknown, boolean> ? D : never;
type EncodableOf<F> = F extends Field<unknown, infer E, boolean> ? E : never;
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<unknown, unknown, infer O> ? (O extends true ? K : never) : never;
}[keyof F];

/** The object that decoding a struct with these fields yields: every field present. */
export type DecodedFields<F extends Fields> = { -readonly [K in keyof F]: DecodedOf<F[K]> };
/** The object that encoding takes: numbers, booleans and fields with a declared default may be left out. */
export type EncodableFields<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: EncodableOf<F[K]>;
} & { readonly [K in OptionalKeys<F>]?: EncodableOf<F[K]> };

/** Bytes of record batches on their way out: in memory or still in a file. */
export type RecordsSource = Uint8Array | FileRegion;

interface FieldOptions {
  readonly nullable?: string;
  readonly tag?: number;
  readonly tagged?: string;
  readonly flexible?: string;
  readonly default?: unknown;
  readonly ignorable?: boolean;
}
type NullIf<O> = O extends { nullable: string } ? null : never;
type HasDefault<O> = O extends { default: unknown } ? true : O extends { tag: number } ? true : false;

function field(kind: FieldKind, versions: string, options: FieldOptions, implicitDefault: unknown): Field {
  return {
    kind,
    versions: parseVersions(versions),
    nullable: parseVersions(options.nullable ?? 'none'),
    tagged: parseVersions(options.tag === undefined ? 'none' : (options.tagged ?? versions)),
    tag: options.tag,
    flexible: options.flexible === undefined ? undefined : parseVersions(options.flexible),
    defaultValue: options.default === undefined ? implicitDefault : options.default,
    ignorable: options.ignorable ?? false,
    element: undefined,
    fields: undefined,
  };
}

/** Declares the constructor of a numeric or boolean kind, whose implicit default is zero or false. */
function plain<T>(kind: ScalarKind, implicitDefault: T) {
  return (versions: string, options: FieldOptions & { readonly default?: T } = {}): Field<T, T, true> =>
    field(kind, versions, options, implicitDefault) as Field<T, T, true>;
}

export const bool = plain('bool', false);
export const int8 = plain('int8', 0);
export const int16 = plain('int16', 0);
export const uint16 = plain('uint16', 0);
export const int32 = plain('int32', 0);
/** A signed 64-bit integer as a number; values that are not safe integers are refused when decoded. */
export const int64 = plain('int64', 0);
/** An int64 that uses all of its bits (a hash), as a bigint. */
export const wideInt64 = plain('wideInt64', 0n);
export const float64 = plain('float64', 0);
export const uuid = plain<Uuid>('uuid', ZERO_UUID);

export function string<const O extends FieldOptions & { readonly default?: string | null }>(
  versions: string,
  options?: O,
): Field<string | NullIf<O>, string | NullIf<O>, HasDefault<O>> {
  return field('string', versions, options ?? {}, '') as Field<string | NullIf<O>, string | NullIf<O>, HasDefault<O>>;
}

/** Opaque bytes; decoded as a view into the frame. */
export function bytes<const O extends FieldOptions>(
  versions: string,
  options?: O,
): Field<Buffer | NullIf<O>, Uint8Array | NullIf<O>, HasDefault<O>> {
  const made = field('bytes', versions, options ?? {}, EMPTY);
  return made as Field<Buffer | NullIf<O>, Uint8Array | NullIf<O>, HasDefault<O>>;
}

/** Record batches; decoded as a view into the frame, encoded from memory or from a file region. */
export function records<const O extends FieldOptions>(
  versions: string,
  options?: O,
): Field<Buffer | NullIf<O>, RecordsSource | NullIf<O>, HasDefault<O>> {
  const made = field('records', versions, options ?? {}, EMPTY);
  return made as Field<Buffer | NullIf<O>, RecordsSource | NullIf<O>, HasDefault<O>>;
}

/** A nested object. Left out or absent, all its fields have their defaults (or it is null where that is the default). */
export function struct<const F extends Fields, const O extends FieldOptions>(
  versions: string,
  fields: F,
  options?: O,
): Field<DecodedFields<F> | NullIf<O>, EncodableFields<F> | NullIf<O>, HasDefault<O>> {
  const made = { ...field('struct', versions, options ?? {}, undefined), fields };
  return made as Field<DecodedFields<F> | NullIf<O>, EncodableFields<F> | NullIf<O>, HasDefault<O>>;
}

/** An array of structs (given their fields) or of scalars (given a field of the element's kind). */
export function array<const E extends Field | Fields, const O extends FieldOptions>(
  versions: string,
  element: E,
  options?: O,
): Field<
  (E extends Field<infer D, unknown, boolean> ? D : E extends Fields ? DecodedFields<E> : never)[] | NullIf<O>,
  | readonly (E extends Field<unknown, infer V, boolean> ? V : E extends Fields ? EncodableFields<E> : never)[]
  | NullIf<O>,
  HasDefault<O>
> {
  const elementField = isField(element)
    ? element
    : { ...field('struct', '0+', {}, undefined), fields: element as Fields };
  return { ...field('array', versions, options ?? {}, []), element: elementField } as never;
}

function isField(value: Field | Fields): value is Field {
  return typeof (value as Field).kind === 'string';
}

const EMPTY = Buffer.alloc(0);

/** A message or stored record: its fields in wire order, for all versions. */
export interface MessageSchema<F extends Fields = Fields> {
  readonly name: string;
  /** Versions whose encoding is declared. */
  readonly versions: VersionRange;
  /** Versions with compact lengths and tagged fields. */
  readonly flexible: VersionRange;
  readonly fields: F;
}

/** Decoded form of a schema. */
export type Decoded<S> = S extends MessageSchema<infer F> ? DecodedFields<F> : never;
/** What an encoder of a schema takes. */
export type Encodable<S> = S extends MessageSchema<infer F> ? EncodableFields<F> : never;

export function message<const F extends Fields>(
  name: string,
  versions: string,
  flexible: string,
  fields: F,
): MessageSchema<F> {
  return { name, versions: parseVersions(versions), flexible: parseVersions(flexible), fields };
}

/** One API key: what a client sends and what a broker answers. */
export interface Api<Req extends Fields = Fields, Res extends Fields = Fields> {
  readonly key: number;
  readonly name: string;
  readonly request: MessageSchema<Req>;
  readonly response: MessageSchema<Res>;
  /** Range that ApiVersions tells where it differs from the request's (Produce: 0-13, though 0-2 are refused). */
  readonly advertised: VersionRange;
}

export function api<Req extends Fields, Res extends Fields>(declaration: {
  readonly key: number;
  readonly name: string;
  readonly request: MessageSchema<Req>;
  readonly response: MessageSchema<Res>;
  readonly advertised?: string;
}): Api<Req, Res> {
  const { advertised, ...rest } = declaration;
  return { ...rest, advertised: advertised === undefined ? declaration.request.versions : parseVersions(advertised) };
}

/** A stored record kind with a numeric type (metadata, group and transaction records). */
export interface StoredRecord<F extends Fields = Fields> extends MessageSchema<F> {
  readonly type: number;
}

export function storedRecord<const F extends Fields>(
  type: number,
  name: string,
  versions: string,
  flexible: string,
  fields: F,
): StoredRecord<F> {
  return { type, ...message(name, versions, flexible, fields) };
}
