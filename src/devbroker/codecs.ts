import { gunzipSync, zstdDecompressSync } from 'node:zlib'

/** Largest number of bytes that one batch may unfold to. */
const maxUnfoldedBytes = 128 * 1024 * 1024

/** Bytes that grow at the end and are copied from their own past, as both Snappy and LZ4 do. */
class Unfolded {
  #bytes = Buffer.allocUnsafe(64 * 1024)
  #length = 0

  append(from: Buffer, start: number, length: number): void {
    if (length > from.length - start) throw new RangeError('literal goes past the end')
    this.#reserve(length)
    this.#length += from.copy(this.#bytes, this.#length, start, start + length)
  }

  /** Source and target may overlap: that is how runs are written. */
  repeat(distance: number, length: number): void {
    if (distance < 1 || distance > this.#length) throw new RangeError('copy from before the start')
    this.#reserve(length)
    const bytes = this.#bytes
    for (let i = 0; i < length; i++, this.#length++) bytes[this.#length] = bytes[this.#length - distance]!
  }

  take(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #reserve(more: number): void {
    const wanted = this.#length + more
    if (wanted > maxUnfoldedBytes) throw new RangeError(`unfolds to more than ${maxUnfoldedBytes} bytes`)
    if (wanted <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

/** One block of Snappy (its format_description.txt). */
function unfoldSnappyBlock(block: Buffer, out: Unfolded): void {
  let at = 0
  while (block.readUInt8(at++) >= 0x80) continue // The unfolded length, which we find out ourselves.
  while (at < block.length) {
    const tag = block.readUInt8(at++)
    const kind = tag & 3
    if (kind === 0) {
      let length = tag >>> 2
      if (length >= 60) {
        const size = length - 59
        length = block.readUIntLE(at, size)
        at += size
      }
      out.append(block, at, length + 1)
      at += length + 1
    } else if (kind === 1) {
      out.repeat(((tag >>> 5) << 8) | block.readUInt8(at++), ((tag >>> 2) & 7) + 4)
    } else {
      const size = kind === 2 ? 2 : 4
      out.repeat(block.readUIntLE(at, size), (tag >>> 2) + 1)
      at += size
    }
  }
}

/** Java's producer frames its blocks (xerial's snappy-java); librdkafka sends a single bare one. */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const xerialHeaderBytes = 16

function unfoldSnappy(payload: Buffer): Buffer {
  const out = new Unfolded()
  if (!payload.subarray(0, xerialMagic.length).equals(xerialMagic)) unfoldSnappyBlock(payload, out)
  else {
    for (let at = xerialHeaderBytes; at < payload.length;) {
      const size = payload.readInt32BE(at)
      if (size < 1) throw new RangeError('an empty block')
      unfoldSnappyBlock(payload.subarray(at + 4, at + 4 + size), out)
      at += 4 + size
    }
  }
  return out.take()
}

/** Lengths above 14 go on in bytes of up to 255. Reads nothing for less. */
function readLz4Length(block: Buffer, nibble: number, start: number): { length: number; next: number } {
  let length = nibble
  let next = start
  if (nibble === 15) {
    let more: number
    do {
      more = block.readUInt8(next++)
      length += more
    } while (more === 255)
  }
  return { length, next }
}

/** One block of LZ4 (lz4_Block_format.md). The last sequence of a block has no copy. */
function unfoldLz4Block(block: Buffer, out: Unfolded): void {
  let at = 0
  while (at < block.length) {
    const token = block.readUInt8(at++)
    const literal = readLz4Length(block, token >>> 4, at)
    out.append(block, literal.next, literal.length)
    at = literal.next + literal.length
    if (at >= block.length) return
    const distance = block.readUInt16LE(at)
    const copy = readLz4Length(block, token & 15, at + 2)
    out.repeat(distance, copy.length + 4)
    at = copy.next
  }
}

/** LZ4 frames (lz4_Frame_format.md); checksums are left alone, the batch has its own. */
function unfoldLz4(payload: Buffer): Buffer {
  const flags = payload.readUInt8(4)
  const has = { blockChecksum: flags & 0x10, contentSize: flags & 0x08, dictionary: flags & 0x01 }
  const out = new Unfolded()
  let at = 7 + (has.contentSize ? 8 : 0) + (has.dictionary ? 4 : 0)
  for (;;) {
    const word = payload.readUInt32LE(at)
    at += 4
    if (word === 0) return out.take()
    const size = word & 0x7fff_ffff
    const block = payload.subarray(at, at + size)
    if (word > 0x7fff_ffff) out.append(block, 0, size)
    else unfoldLz4Block(block, out)
    at += size + (has.blockChecksum ? 4 : 0)
  }
}

/** The records behind a batch's codec number. Throws when they cannot be unfolded. */
export function unfold(payload: Buffer, codec: number): Buffer {
  switch (codec) {
    case 0:
      return payload
    case 1:
      return gunzipSync(payload, { maxOutputLength: maxUnfoldedBytes })
    case 2:
      return unfoldSnappy(payload)
    case 3:
      return unfoldLz4(payload)
    case 4:
      return zstdDecompressSync(payload, { maxOutputLength: maxUnfoldedBytes })
    default:
      throw new RangeError(`unknown codec ${codec}`)
  }
}
