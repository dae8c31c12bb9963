import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'

/** No record batch may become larger than this when inflated: a few KiB of zstd can stand for gigabytes. */
export const largestInflatedBytes = 64 << 20

const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const lz4Magic = 0x184d2204

/**
 * Inflates the records of a batch. `codec`: the lowest three bits of the batch's attributes, not 0.
 * Throws for an unknown codec, broken data, and data that would inflate beyond `limit` bytes, before that is allocated.
 */
export function inflate(codec: number, data: Buffer, limit = largestInflatedBytes): Buffer {
  switch (codec) {
    case 1:
      return gunzipSync(data, { maxOutputLength: limit })
    case 2:
      within(snappyLength(data), limit)
      return compressionsAlgorithms.snappy.decompressSync(data)
    case 3:
      within(lz4Length(data, limit), limit)
      return compressionsAlgorithms.lz4.decompressSync(data)
    case 4:
      return zstdDecompressSync(data, { maxOutputLength: limit })
    default:
      throw new Error(`unknown compression ${codec}`)
  }
}

function within(size: number, limit: number): void {
  if (size > limit) throw new Error(`inflates to more than ${limit} bytes`)
}

/** What the data says it inflates to; the decoder checks that it is true. */
function snappyLength(data: Buffer): number {
  if (data.length < 16 || !data.subarray(0, 8).equals(xerialMagic)) return preambleLength(data, 0, data.length)
  let total = 0
  for (let at = 16; at < data.length;) {
    if (at + 4 > data.length) throw new Error('ends inside a snappy chunk')
    const size = data.readUInt32BE(at)
    if (size > data.length - at - 4) throw new Error('ends inside a snappy chunk')
    total += preambleLength(data, at + 4, at + 4 + size)
    at += 4 + size
  }
  return total
}

function preambleLength(data: Buffer, from: number, end: number): number {
  let length = 0
  for (let at = from, shift = 0; at < end && shift < 35; at++, shift += 7) {
    const byte = data[at]!
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return length
  }
  throw new Error('has no snappy preamble')
}

/** LZ4 frames need not say their size: add up what each block's sequences say, without copying anything. */
function lz4Length(data: Buffer, limit: number): number {
  if (data.length < 7 || data.readUInt32LE(0) !== lz4Magic) throw new Error('is not an LZ4 frame')
  const flags = data[4]!
  const blockChecksum = (flags & 0x10) === 0 ? 0 : 4
  let at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4)
  let total = 0
  while (at + 4 <= data.length) {
    const header = data.readUInt32LE(at)
    if (header === 0) return total
    const size = header & 0x7fffffff
    at += 4
    if (size > data.length - at) throw new Error('ends inside an LZ4 block')
    total += header >= 0x80000000 ? size : lz4BlockLength(data, at, at + size)
    if (total > limit) return total
    at += size + blockChecksum
  }
  throw new Error('ends inside an LZ4 frame')
}

function lz4BlockLength(data: Buffer, from: number, end: number): number {
  let total = 0
  let at = from
  while (at < end) {
    const token = data[at++]!
    let literals = token >> 4
    if (literals === 15)
      for (let more = 255; more === 255 && at < end;) {
        more = data[at++]!
        literals += more
      }
    at += literals
    total += literals
    if (at >= end) break
    at += 2
    let match = (token & 15) + 4
    if (match === 19)
      for (let more = 255; more === 255 && at < end;) {
        more = data[at++]!
        match += more
      }
    total += match
  }
  return total
}
