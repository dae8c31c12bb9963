import { Block, column } from '../../core/record.ts'
import type { Meter } from '../../ports/memory.ts'
import { ColumnPool } from './column-pool.ts'
import { inflate } from './compression.ts'
import { crc32c } from './crc32c.ts'
import type { AbortedTransaction } from './fetch-response.ts'
import { CorruptBatch } from './problems.ts'

/** Bytes of the batch header, base offset to record count. */
export const batchHeaderBytes = 61
/** Of a record: length, attributes, two deltas, key length, value length, header count, one byte each. */
const smallestRecordBytes = 7
/** Base offset, length, leader epoch and magic come first in every format. */
const magicEnd = 17
const twoTo32 = 4_294_967_296

/** Header of a record batch of format v2 (RecordBatch of Apache Kafka's protocol documentation). */
export interface BatchHeader {
  /** Where the batch ends in the bytes it was read from. */
  readonly end: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly crc: number
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec: number
  readonly logAppendTime: boolean
  readonly transactional: boolean
  readonly control: boolean
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: number
  readonly count: number
}

/**
 * Reads the batch header at `at`. Undefined when the batch is cut off, as Kafka may cut off a response's last one.
 * Throws CorruptBatch for another format or lengths that cannot be.
 */
export function readBatchHeader(bytes: Buffer, at: number): BatchHeader | undefined {
  if (bytes.length - at < magicEnd) return undefined
  const baseOffset = int64(bytes, at)
  const length = bytes.readInt32BE(at + 8)
  const magic = bytes[at + 16]!
  if (magic !== 2)
    throw new CorruptBatch(
      baseOffset,
      magic < 2
        ? `has the old message format ${magic}: Millrace reads format 2, which brokers write since Kafka 0.11`
        : `has the unknown format ${magic}`
    )
  if (length < batchHeaderBytes - 12) throw new CorruptBatch(baseOffset, `claims a length of ${length} bytes`)
  if (length > bytes.length - at - 12) return undefined
  const attributes = bytes.readInt16BE(at + 21)
  const lastOffset = baseOffset + bytes.readInt32BE(at + 23)
  const count = bytes.readInt32BE(at + 57)
  if (!Number.isSafeInteger(baseOffset) || baseOffset < 0 || lastOffset < baseOffset)
    throw new CorruptBatch(baseOffset, `claims to end at offset ${lastOffset}`)
  if (count < 0) throw new CorruptBatch(baseOffset, `claims ${count} records`)
  return {
    end: at + 12 + length,
    baseOffset,
    lastOffset,
    leaderEpoch: bytes.readInt32BE(at + 12),
    crc: bytes.readUInt32BE(at + 17),
    codec: attributes & 7,
    logAppendTime: (attributes & 8) !== 0,
    transactional: (attributes & 16) !== 0,
    control: (attributes & 32) !== 0,
    baseTimestamp: int64(bytes, at + 27),
    maxTimestamp: int64(bytes, at + 35),
    producerId: int64(bytes, at + 43),
    count
  }
}

export interface DecodeTarget {
  readonly topic: string
  readonly partition: number
  /** Records below it were not asked for and are left out. */
  readonly fetchOffset: number
}

/** A decoded batch; `block` is absent when no record of it is for us (control, aborted, below the fetch offset). */
export interface DecodedBatch {
  readonly nextOffset: number
  readonly leaderEpoch: number
  readonly block?: Block
}

/** Keeps bytes alive: `retain` per block cut from them, `release` when a block is finished. */
export interface Holder {
  retain(): void
  release(): void
}

/**
 * Decodes one batch after another of a partition's share of a response, as a reader that sees committed data only:
 * a producer's batches are dropped from the first offset of an aborted transaction on until its abort marker.
 * After an error (CorruptBatch) `at` still stands before the batch it was about.
 */
export class BatchReader {
  readonly #bytes: Buffer
  readonly #target: DecodeTarget
  readonly #holder: Holder
  readonly #meter: Meter
  readonly #aborted: AbortedTransaction[]
  readonly #abortedProducers = new Set<number>()
  #at = 0

  /**
   * `bytes`: the partition's record batches. A block whose records lie in them uncompressed retains `holder`; `meter`
   * counts what it has beside them.
   */
  constructor(
    bytes: Buffer,
    target: DecodeTarget,
    aborted: readonly AbortedTransaction[],
    holder: Holder,
    meter: Meter = unmetered
  ) {
    this.#bytes = bytes
    this.#target = target
    this.#holder = holder
    this.#meter = meter
    this.#aborted = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  }

  /** Undefined at the end. */
  next(): DecodedBatch | undefined {
    const start = this.#at
    const header = readBatchHeader(this.#bytes, start)
    if (header === undefined) return undefined
    const crc = crc32c(this.#bytes.subarray(start + 21, header.end))
    if (crc !== header.crc)
      throw new CorruptBatch(header.baseOffset, `has checksum ${crc.toString(16)}, not ${header.crc.toString(16)}`)
    const decoded = this.#decode(header, this.#bytes.subarray(start + batchHeaderBytes, header.end))
    this.#at = header.end
    return decoded
  }

  #decode(header: BatchHeader, payload: Buffer): DecodedBatch {
    const { leaderEpoch } = header
    const nextOffset = header.lastOffset + 1
    while (this.#aborted.length > 0 && this.#aborted[0]!.firstOffset <= header.lastOffset)
      this.#abortedProducers.add(this.#aborted.shift()!.producerId)
    if (header.control) {
      if (isAbortMarker(payload)) this.#abortedProducers.delete(header.producerId)
      return { nextOffset, leaderEpoch }
    }
    if (header.transactional && this.#abortedProducers.has(header.producerId)) return { nextOffset, leaderEpoch }
    if (header.lastOffset < this.#target.fetchOffset || header.count === 0) return { nextOffset, leaderEpoch }
    const records = header.codec === 0 ? payload : inflated(header, payload)
    const holder = header.codec === 0 ? this.#holder : undefined
    const block = decodeRecords(header, records, this.#target, holder, this.#meter)
    return block === undefined ? { nextOffset, leaderEpoch } : { nextOffset, leaderEpoch, block }
  }
}

const unmetered: Meter = { hold: () => undefined, free: () => undefined }

function inflated(header: BatchHeader, payload: Buffer): Buffer {
  try {
    return inflate(header.codec, payload)
  } catch (error) {
    throw new CorruptBatch(header.baseOffset, `cannot be inflated: ${(error as Error).message}`, { cause: error })
  }
}

/** A control record's key is its version and its type: 0 abort, 1 commit (KIP-98). */
function isAbortMarker(payload: Buffer): boolean {
  at = 0
  varint(payload) // length
  at++ // attributes
  varint(payload) // timestamp delta
  varint(payload) // offset delta
  const keySize = varint(payload)
  return keySize >= 4 && at + 4 <= payload.length && payload.readInt16BE(at + 2) === 0
}

/** Cursor of the varint readers below: a module variable costs less than returning pairs, a million times a second. */
let at = 0

function uvarint(bytes: Buffer): number {
  const first = bytes[at++]!
  if (first < 0x80) return first
  let value = first & 0x7f
  let scale = 128
  let byte: number
  do {
    byte = bytes[at++]! // undefined behind the end: ends the loop, and the caller sees that `at` went too far
    value += (byte & 0x7f) * scale
    scale *= 128
  } while (byte >= 0x80)
  return value
}

/** Zigzag, exact up to 2^53. */
function varint(bytes: Buffer): number {
  const value = uvarint(bytes)
  if (value <= 0xffffffff) return (value >>> 1) ^ -(value & 1)
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2
}

/** One a thread, as all blocks of a thread are much alike. */
const columnPool = new ColumnPool(8 << 20)

/** Columns of a batch's records. Undefined when all lie below the fetch offset. */
function decodeRecords(
  header: BatchHeader,
  bytes: Buffer,
  target: DecodeTarget,
  holder: Holder | undefined,
  meter: Meter
): Block | undefined {
  const { count, baseOffset, lastOffset } = header
  if (count > bytes.length / smallestRecordBytes)
    throw new CorruptBatch(baseOffset, `claims ${count} records in ${bytes.length} bytes`)
  const columns = columnPool.take(count)
  const { offsets, timestamps, positions } = columns
  const size = bytes.length
  let kept = 0
  let previous = baseOffset - 1
  at = 0
  for (let i = 0; i < count; i++) {
    const length = varint(bytes)
    const end = at + length
    if (!(length >= smallestRecordBytes - 1 && end <= size)) throw torn(header, i)
    at++ // attributes: unused
    const timestamp = header.logAppendTime ? (varint(bytes), header.maxTimestamp) : header.baseTimestamp + varint(bytes)
    const offset = baseOffset + varint(bytes)
    if (!(offset > previous && offset <= lastOffset)) throw torn(header, i)
    previous = offset
    const row = kept * column.stride
    const keySize = varint(bytes)
    positions[row + column.keyStart] = keySize < 0 ? -1 : at
    if (keySize > 0) at += keySize
    if (!(keySize >= -1 && at < end)) throw torn(header, i)
    positions[row + column.keyEnd] = at
    const valueSize = varint(bytes)
    positions[row + column.valueStart] = valueSize < 0 ? -1 : at
    if (valueSize > 0) at += valueSize
    if (!(valueSize >= -1 && at < end)) throw torn(header, i)
    positions[row + column.valueEnd] = at
    positions[row + column.headers] = at
    positions[row + column.end] = end
    if (bytes[at] === 0) at++
    else skipHeaders(bytes, end, header, i)
    if (at !== end) throw torn(header, i)
    offsets[kept] = offset
    timestamps[kept] = timestamp
    if (offset >= target.fetchOffset) kept++
  }
  if (at !== size) throw new CorruptBatch(baseOffset, `has ${size - at} bytes behind its ${count} records`)
  if (kept === 0) {
    columnPool.giveBack(columns)
    return undefined
  }
  holder?.retain()
  const ownBytes = columns.bytes + (holder === undefined ? size : 0)
  meter.hold(ownBytes)
  return new Block(
    {
      topic: target.topic,
      partition: target.partition,
      bytes,
      count: kept,
      offsets: offsets.subarray(0, kept),
      timestamps: timestamps.subarray(0, kept),
      timestampType: header.logAppendTime ? 'LOG_APPEND_TIME' : 'CREATE_TIME',
      positions: positions.subarray(0, kept * column.stride),
      nextOffset: lastOffset + 1,
      leaderEpoch: header.leaderEpoch
    },
    () => {
      columnPool.giveBack(columns)
      holder?.release()
      meter.free(ownBytes)
    }
  )
}

/** Walks the headers so that whoever reads them later needs no check. */
function skipHeaders(bytes: Buffer, end: number, header: BatchHeader, index: number): void {
  const count = varint(bytes)
  if (!(count >= 0 && count * 2 <= end - at)) throw torn(header, index)
  for (let left = count; left > 0; left--) {
    const keySize = varint(bytes)
    if (!(keySize >= 0 && keySize < end - at)) throw torn(header, index)
    at += keySize
    const valueSize = varint(bytes)
    if (!(valueSize >= -1 && valueSize <= end - at)) throw torn(header, index)
    if (valueSize > 0) at += valueSize
  }
}

const torn = (header: BatchHeader, index: number): CorruptBatch =>
  new CorruptBatch(header.baseOffset, `is torn at record ${index} of ${header.count}`)

const int64 = (bytes: Buffer, from: number): number => bytes.readInt32BE(from) * twoTo32 + bytes.readUInt32BE(from + 4)
