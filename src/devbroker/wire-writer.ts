/** Below this, copying a Buffer is cheaper than handing it to the kernel on its own. */
const copyBelowBytes = 4096

/**
 * Writes the protocol's primitives into a list of Buffers. Large Buffers given to `raw` are not copied:
 * what a partition stores goes to the socket as it is.
 */
export class WireWriter {
  #done: Buffer[] = []
  #doneBytes = 0
  #open: Buffer
  #from = 0
  #at = 0

  constructor(startBytes = 512) {
    this.#open = Buffer.allocUnsafe(startBytes)
  }

  get length(): number {
    return this.#doneBytes + this.#at - this.#from
  }

  int8(value: number): void {
    const at = this.#room(1)
    this.#open.writeInt8(value, at)
  }

  int16(value: number): void {
    const at = this.#room(2)
    this.#open.writeInt16BE(value, at)
  }

  int32(value: number): void {
    const at = this.#room(4)
    this.#open.writeInt32BE(value, at)
  }

  int64(value: number): void {
    const at = this.#room(8)
    const high = Math.floor(value / 0x1_0000_0000)
    this.#open.writeInt32BE(high, at)
    this.#open.writeUInt32BE(value - high * 0x1_0000_0000, at + 4)
  }

  uuid(hex: string): void {
    const at = this.#room(16)
    this.#open.write(hex, at, 16, 'hex')
  }

  uvarint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      const at = this.#room(1)
      this.#open.writeUInt8((rest % 0x80) + 0x80, at)
      rest = Math.floor(rest / 0x80)
    }
    const at = this.#room(1)
    this.#open.writeUInt8(rest, at)
  }

  /** The bytes of a Buffer, without a length. */
  raw(bytes: Buffer): void {
    if (bytes.length < copyBelowBytes) {
      const at = this.#room(bytes.length)
      bytes.copy(this.#open, at)
      return
    }
    this.#close()
    this.#done.push(bytes)
    this.#doneBytes += bytes.length
  }

  /** All that was written, in order. The writer is spent. */
  buffers(): Buffer[] {
    this.#close()
    return this.#done
  }

  /** Where the next bytes go. Called before `#open` is looked at: it may be another Buffer afterwards. */
  #room(bytes: number): number {
    const at = this.#at
    if (at + bytes > this.#open.length) return this.#grow(bytes)
    this.#at = at + bytes
    return at
  }

  #grow(bytes: number): number {
    this.#close()
    this.#open = Buffer.allocUnsafe(Math.max(bytes, Math.min(65_536, this.#open.length * 2)))
    this.#from = 0
    this.#at = bytes
    return 0
  }

  #close(): void {
    if (this.#at === this.#from) return
    this.#done.push(this.#open.subarray(this.#from, this.#at))
    this.#doneBytes += this.#at - this.#from
    this.#from = this.#at
  }
}
