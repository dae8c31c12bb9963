import { MalformedRequest } from './wire-reader.ts'
import type { WireReader } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

/**
 * The messages of the protocol as tables: a message is a `struct` of fields, and a field may exist only in some versions.
 * One table serves every version, in the classic and in the flexible encoding (KIP-482), for reading and for writing.
 */

/** The version a message is in, and whether that version is a flexible one. */
export interface WireVersion {
  readonly version: number
  readonly flexible: boolean
}

/** How a value is read and written. What is written may leave out what some versions lack, so the two types differ. */
export interface WireType<Read, Write = Read> {
  read(from: WireReader, at: WireVersion): Read
  write(to: WireWriter, value: Write, at: WireVersion): void
  /** The value where a version has no such field and the table gives no default. */
  readonly absent: Read & Write
}

/** A field that not every version has. Writers may leave it out. */
export interface WireField<Read, Write = Read> extends WireType<Read, Write> {
  readonly optional: true
  readonly from: number
  readonly to: number
  readonly tag: number | undefined
}

/** What reading a type gives, and what writing it takes. */
export type Reading<T> = T extends WireType<infer Read, unknown> ? Read : never
export type Writing<T> = T extends { write(to: WireWriter, value: infer Write, at: WireVersion): void } ? Write : never

type Shape = Record<string, WireType<unknown>>
type OptionalKeys<S extends Shape> = { [K in keyof S]: S[K] extends { readonly optional: true } ? K : never }[keyof S]
type StructReading<S extends Shape> = { readonly [K in keyof S]: Reading<S[K]> }
type StructWriting<S extends Shape> = { readonly [K in Exclude<keyof S, OptionalKeys<S>>]: Writing<S[K]> } & {
  readonly [K in OptionalKeys<S>]?: Writing<S[K]>
}

function primitive<T>(
  absent: T,
  read: (from: WireReader, at: WireVersion) => T,
  write: (to: WireWriter, value: T, at: WireVersion) => void
): WireType<T> {
  return { absent, read, write }
}

export const int8 = primitive(
  0,
  from => from.int8(),
  (to, value) => to.int8(value)
)
export const int16 = primitive(
  0,
  from => from.int16(),
  (to, value) => to.int16(value)
)
export const int32 = primitive(
  0,
  from => from.int32(),
  (to, value) => to.int32(value)
)
export const int64 = primitive(
  0,
  from => from.int64(),
  (to, value) => to.int64(value)
)
export const bool = primitive(
  false,
  from => from.int8() !== 0,
  (to, value) => to.int8(value ? 1 : 0)
)
/** 32 hexadecimal digits. */
export const uuid = primitive(
  '0'.repeat(32),
  from => from.uuid(),
  (to, value) => to.uuid(value)
)

/** Lengths: an int16 (strings) or int32 in classic versions, −1 for null; an unsigned varint one higher in flexible ones. */
function readLength(from: WireReader, { flexible }: WireVersion, short: boolean): number {
  if (flexible) return from.uvarint() - 1
  return short ? from.int16() : from.int32()
}

function writeLength(to: WireWriter, length: number, { flexible }: WireVersion, short: boolean): void {
  if (flexible) to.uvarint(length + 1)
  else if (short) to.int16(length)
  else to.int32(length)
}

function notNull<T>(value: T | null, what: string): T {
  if (value === null) throw new MalformedRequest(`a ${what} that may not be null is null`)
  return value
}

export const nullableString = primitive<string | null>(
  null,
  (from, at) => {
    const length = readLength(from, at, true)
    return length < 0 ? null : from.utf8(length)
  },
  (to, value, at) => {
    if (value === null) return writeLength(to, -1, at, true)
    const bytes = Buffer.from(value)
    writeLength(to, bytes.length, at, true)
    to.raw(bytes)
  }
)
export const string = primitive(
  '',
  (from, at) => notNull(nullableString.read(from, at), 'string'),
  (to, value, at) => nullableString.write(to, value, at)
)
export const nullableBytes = primitive<Buffer | null>(
  null,
  (from, at) => {
    const length = readLength(from, at, false)
    return length < 0 ? null : from.slice(length)
  },
  (to, value, at) => {
    if (value === null) return writeLength(to, -1, at, false)
    writeLength(to, value.length, at, false)
    to.raw(value)
  }
)
export const bytes = primitive<Buffer>(
  Buffer.alloc(0),
  (from, at) => notNull(nullableBytes.read(from, at), 'byte field'),
  (to, value, at) => nullableBytes.write(to, value, at)
)
/** Record batches on their way out: several stored Buffers written as one byte field. */
export const batches = primitive<readonly Buffer[]>(
  [],
  (from, at) => {
    const whole = nullableBytes.read(from, at)
    return whole === null ? [] : [whole]
  },
  (to, value, at) => {
    let length = 0
    for (const batch of value) length += batch.length
    writeLength(to, length, at, false)
    for (const batch of value) to.raw(batch)
  }
)

export function nullableArray<Read, Write>(
  of: WireType<Read, Write>
): WireType<readonly Read[] | null, readonly Write[] | null> {
  return {
    absent: null,
    read(from, at) {
      const length = readLength(from, at, false)
      if (length < 0) return null
      from.expectElements(length)
      const items: Read[] = []
      for (let i = 0; i < length; i++) items.push(of.read(from, at))
      return items
    },
    write(to, value, at) {
      writeLength(to, value === null ? -1 : value.length, at, false)
      for (const item of value ?? []) of.write(to, item, at)
    }
  }
}

export function array<Read, Write>(of: WireType<Read, Write>): WireType<readonly Read[], readonly Write[]> {
  const nullable = nullableArray(of)
  return {
    absent: [],
    read: (from, at) => notNull(nullable.read(from, at), 'array'),
    write: (to, value, at) => nullable.write(to, value, at)
  }
}

/** A struct that may be missing: one byte says whether it follows. */
export function nullable<Read, Write>(of: WireType<Read, Write>): WireType<Read | null, Write | null> {
  return {
    absent: null,
    read: (from, at) => (from.int8() < 0 ? null : of.read(from, at)),
    write(to, value, at) {
      to.int8(value === null ? -1 : 1)
      if (value !== null) of.write(to, value, at)
    }
  }
}

function field<Read, Write>(
  type: WireType<Read, Write>,
  range: { from?: number; to?: number; tag?: number },
  absent: Read & Write = type.absent
): WireField<Read, Write> {
  return {
    optional: true,
    from: range.from ?? 0,
    to: range.to ?? Infinity,
    tag: range.tag,
    absent,
    read: (from, at) => type.read(from, at),
    write: (to, value, at) => type.write(to, value, at)
  }
}

/** A field of version `from` and later. */
export function since<R, W>(from: number, type: WireType<R, W>, absent?: R & W): WireField<R, W> {
  return field(type, { from }, absent)
}

/** A field up to and with version `to`. */
export function until<R, W>(to: number, type: WireType<R, W>, absent?: R & W): WireField<R, W> {
  return field(type, { to }, absent)
}

export function between<R, W>(from: number, to: number, type: WireType<R, W>, absent?: R & W): WireField<R, W> {
  return field(type, { from, to }, absent)
}

/** A tagged field: written only when a value is given. */
export function tagged<R, W>(tag: number, from: number, type: WireType<R, W>, absent?: R & W): WireField<R, W> {
  return field(type, { from, tag }, absent)
}

/** A field of every version that writers may leave to its default. */
export function defaulting<R, W>(type: WireType<R, W>, absent: R & W): WireField<R, W> {
  return field(type, {}, absent)
}

export function struct<S extends Shape>(shape: S): WireType<StructReading<S>, StructWriting<S>> {
  const all = Object.entries(shape).map(([name, type]) => {
    const range = type as Partial<WireField<unknown>>
    return { name, type, from: range.from ?? 0, to: range.to ?? Infinity, tag: range.tag }
  })
  const plain = all.filter(field => field.tag === undefined)
  const byTag = all
    .flatMap(field => (field.tag === undefined ? [] : [{ ...field, tag: field.tag }]))
    .sort((a, b) => a.tag - b.tag)
  const absent = Object.fromEntries(all.map(({ name, type }) => [name, type.absent]))

  function readTagged(from: WireReader, at: WireVersion, into: Record<string, unknown>): void {
    for (let count = from.uvarint(); count > 0; count--) {
      const tag = from.uvarint()
      const size = from.uvarint()
      const known = byTag.find(field => field.tag === tag && at.version >= field.from && at.version <= field.to)
      if (known === undefined) {
        from.slice(size)
        continue
      }
      const before = from.left
      into[known.name] = known.type.read(from, at)
      if (before - from.left !== size) throw new MalformedRequest(`tagged field ${known.name} is not ${size} bytes`)
    }
  }

  function writeTagged(to: WireWriter, value: Record<string, unknown>, at: WireVersion): void {
    const given = byTag.filter(
      field => value[field.name] !== undefined && at.version >= field.from && at.version <= field.to
    )
    to.uvarint(given.length)
    for (const { name, tag, type } of given) {
      const body = new WireWriter(128)
      type.write(body, value[name], at)
      to.uvarint(tag)
      to.uvarint(body.length)
      for (const part of body.buffers()) to.raw(part)
    }
  }

  return {
    absent: absent as StructReading<S> & StructWriting<S>,
    read(from, at) {
      const into: Record<string, unknown> = { ...absent }
      for (const field of plain) {
        if (at.version >= field.from && at.version <= field.to) into[field.name] = field.type.read(from, at)
      }
      if (at.flexible) readTagged(from, at, into)
      return into as StructReading<S>
    },
    write(to, value, at) {
      const given = value as Record<string, unknown>
      for (const field of plain) {
        if (at.version < field.from || at.version > field.to) continue
        field.type.write(to, given[field.name] ?? field.type.absent, at)
      }
      if (at.flexible) writeTagged(to, given, at)
    }
  }
}
