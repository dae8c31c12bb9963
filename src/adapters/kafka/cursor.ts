import { MalformedResponse } from './problems.ts'

const twoTo32 = 4_294_967_296

/** Reads Kafka's wire types from a Buffer. Every read is checked against the end; a lie throws MalformedResponse. */
export class Cursor {
  readonly bytes: Buffer
  readonly end: number
  at: number

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  get left(): number {
    return this.end - this.at
  }

  int8(): number {
    return this.bytes.readInt8(this.#advance(1))
  }

  int16(): number {
    return this.bytes.readInt16BE(this.#advance(2))
  }

  int32(): number {
    return this.bytes.readInt32BE(this.#advance(4))
  }

  /** Exact up to 2^53, which no offset or time reaches. */
  int64(): number {
    const at = this.#advance(8)
    return this.bytes.readInt32BE(at) * twoTo32 + this.bytes.readUInt32BE(at + 4)
  }

  /** Unsigned varint of at most 32 bits. */
  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.#advance(1)]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new MalformedResponse('a varint is longer than five bytes')
  }

  /** Length of an array or of bytes; null counts as 0. `smallest`: bytes that one element takes at least. */
  count(flexible: boolean, smallest: number): number {
    const count = flexible ? this.uvarint() - 1 : this.int32()
    if (count * smallest > this.left)
      throw new MalformedResponse(`${count} elements of ${smallest} bytes or more do not fit into ${this.left} bytes`)
    return Math.max(0, count)
  }

  /** Start of `size` bytes, which are skipped. */
  skip(size: number): number {
    return this.#advance(size)
  }

  string(flexible: boolean): string {
    const size = flexible ? this.uvarint() - 1 : this.int16()
    if (size <= 0) return ''
    const at = this.#advance(size)
    return this.bytes.toString('utf8', at, at + size)
  }

  /** Tagged fields: `read` gets the tag and a cursor over its bytes; without it they are skipped. */
  tags(read?: (tag: number, field: Cursor) => void): void {
    for (let left = this.uvarint(); left > 0; left--) {
      const tag = this.uvarint()
      const size = this.uvarint()
      const at = this.#advance(size)
      read?.(tag, new Cursor(this.bytes, at, at + size))
    }
  }

  #advance(size: number): number {
    const at = this.at
    if (size < 0 || size > this.end - at)
      throw new MalformedResponse(`${size} bytes were announced where ${this.end - at} are left`)
    this.at = at + size
    return at
  }
}
