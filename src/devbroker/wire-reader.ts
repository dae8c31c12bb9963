/** The bytes of a request do not follow the protocol. The connection they came on cannot be trusted further. */
export class MalformedRequest extends Error {}

/** Elements of all arrays of one request together. Ten thousand partitions in a fetch are far below it. */
const maxElements = 1_000_000

/**
 * Reads the protocol's primitives, front to back. Every read checks what is left, so that no claim inside the bytes
 * (a string of 2 GB, an array of a million) costs more than the bytes that came.
 * Numbers of 64 bits are read as doubles: offsets and times stay exact up to 2^53.
 */
export class WireReader {
  readonly #bytes: Buffer
  #at = 0
  #elements = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  int8(): number {
    return this.#bytes.readInt8(this.#take(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  int64(): number {
    const at = this.#take(8)
    return this.#bytes.readInt32BE(at) * 0x1_0000_0000 + this.#bytes.readUInt32BE(at + 4)
  }

  uuid(): string {
    const at = this.#take(16)
    return this.#bytes.toString('hex', at, at + 16)
  }

  /** Unsigned LEB128 of at most 32 bits. */
  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#take(1))
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new MalformedRequest('a variable-length number goes on past 5 bytes')
  }

  /**
   * To be asked before the elements of an array are read. Objects are larger than the bytes they are read from, so a
   * request of 100 MB may not make as many as it likes.
   */
  expectElements(count: number): void {
    this.#elements += count
    if (count > this.left) throw new MalformedRequest(`an array of ${count} in ${this.left} bytes`)
    if (this.#elements > maxElements) throw new MalformedRequest(`more than ${maxElements} array elements`)
  }

  /** A view, no copy. */
  slice(length: number): Buffer {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  utf8(length: number): string {
    const at = this.#take(length)
    return this.#bytes.toString('utf8', at, at + length)
  }

  #take(length: number): number {
    const at = this.#at
    if (length < 0 || length > this.#bytes.length - at) {
      throw new MalformedRequest(`${length} bytes wanted at ${at}, ${this.#bytes.length - at} left`)
    }
    this.#at = at + length
    return at
  }
}
