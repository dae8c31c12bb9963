import { crc32c } from './crc32c.ts'
import { KafkaError } from './error-codes.ts'

/**
 * Record batches of magic 2 (KIP-98), seen as bytes. A producer's batch is stored as it came, in whatever codec, but for
 * three numbers: base offset and leader epoch, which lie outside the checksum, and on topics with LogAppendTime the
 * highest timestamp and its attribute bit, which lie inside.
 */
const at = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordsCount: 57,
  records: 61
} as const

/** Bytes of base offset and batch length: what stands before the bytes that `batchLength` counts. */
const prefixBytes = 12
const attributeBits = { codec: 0x07, logAppendTime: 0x08, transactional: 0x10, control: 0x20 } as const

export interface BatchHeader {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly codec: number
  readonly logAppendTime: boolean
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly lastSequence: number
  readonly recordsCount: number
}

export interface NewRecord {
  readonly key?: Buffer | string | null
  readonly value: Buffer | string | null
  readonly headers?: readonly (readonly [string, Buffer | string | null])[]
  /** Milliseconds since the epoch. */
  readonly timestamp?: number
}

function readInt64(batch: Buffer, position: number): number {
  return Number(batch.readBigInt64BE(position))
}

/** Sequences are 31 bits wide and start again at 0. */
export function sequenceAfter(sequence: number, by: number): number {
  return (sequence + by) % 0x8000_0000
}

export function readHeader(batch: Buffer): BatchHeader {
  const attributes = batch.readInt16BE(at.attributes)
  const baseOffset = readInt64(batch, at.baseOffset)
  const lastOffsetDelta = batch.readInt32BE(at.lastOffsetDelta)
  const baseSequence = batch.readInt32BE(at.baseSequence)
  return {
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    baseTimestamp: readInt64(batch, at.baseTimestamp),
    maxTimestamp: readInt64(batch, at.maxTimestamp),
    codec: attributes & attributeBits.codec,
    logAppendTime: (attributes & attributeBits.logAppendTime) !== 0,
    producerId: readInt64(batch, at.producerId),
    producerEpoch: batch.readInt16BE(at.producerEpoch),
    baseSequence,
    lastSequence: baseSequence < 0 ? -1 : sequenceAfter(baseSequence, lastOffsetDelta),
    recordsCount: batch.readInt32BE(at.recordsCount)
  }
}

/**
 * What a producer sent for one partition, checked as Kafka checks it: exactly one batch of magic 2, whole, with a right
 * checksum, no control batch, no transaction. Throws a KafkaError otherwise.
 */
export function checkProduced(batch: Buffer): BatchHeader {
  // Magic 0 and 1 keep their magic byte where magic 2 has it, and are shorter than a batch header.
  if (batch.length > at.magic && batch.readInt8(at.magic) < 2) {
    throw new KafkaError('UNSUPPORTED_FOR_MESSAGE_FORMAT', 'only record batches of magic 2 are taken')
  }
  if (batch.length < at.records) {
    throw new KafkaError('CORRUPT_MESSAGE', `a record batch needs ${at.records} bytes of header, got ${batch.length}`)
  }
  const magic = batch.readInt8(at.magic)
  if (magic !== 2) throw new KafkaError('CORRUPT_MESSAGE', `unknown magic ${magic}`)
  const length = batch.readInt32BE(at.batchLength) + prefixBytes
  if (length > batch.length || length < at.records) {
    throw new KafkaError('CORRUPT_MESSAGE', `the batch says it has ${length} bytes, ${batch.length} came`)
  }
  if (length < batch.length) {
    throw new KafkaError('INVALID_RECORD', 'a produce request must carry exactly one record batch for each partition')
  }
  if (crc32c(batch, at.attributes) !== batch.readUInt32BE(at.crc)) {
    throw new KafkaError('CORRUPT_MESSAGE', 'the checksum of the batch is wrong')
  }
  const attributes = batch.readInt16BE(at.attributes)
  if (attributes & attributeBits.control)
    throw new KafkaError('INVALID_RECORD', 'clients may not write control batches')
  if (attributes & attributeBits.transactional) {
    throw new KafkaError('TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'this broker has no transactions')
  }
  const header = readHeader(batch)
  if (header.codec > 4) throw new KafkaError('CORRUPT_MESSAGE', `unknown codec ${header.codec}`)
  if (header.recordsCount < 1 || header.lastOffset - header.baseOffset !== header.recordsCount - 1) {
    throw new KafkaError('INVALID_RECORD', `${header.recordsCount} records do not fit the batch's offsets`)
  }
  return header
}

/** Gives a batch its place in the log. Outside the checksum. */
export function placeBatch(batch: Buffer, baseOffset: number, leaderEpoch: number): void {
  batch.writeBigInt64BE(BigInt(baseOffset), at.baseOffset)
  batch.writeInt32BE(leaderEpoch, at.leaderEpoch)
}

/** Makes `now` the time of every record of the batch (message.timestamp.type=LogAppendTime), and renews the checksum. */
export function stampBatch(batch: Buffer, now: number): void {
  batch.writeInt16BE(batch.readInt16BE(at.attributes) | attributeBits.logAppendTime, at.attributes)
  batch.writeBigInt64BE(BigInt(now), at.maxTimestamp)
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
}

/** The part of a batch that its codec covers. */
export function batchPayload(batch: Buffer): Buffer {
  return batch.subarray(at.records)
}

class ByteList {
  #bytes = Buffer.allocUnsafe(1024)
  length = 0

  /** Zigzag. */
  varint(value: number): void {
    this.#reserve(10)
    if (value >= -0x4000_0000 && value < 0x4000_0000) {
      let rest = (value << 1) ^ (value >> 31)
      for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.length++] = (rest & 0x7f) | 0x80
      this.#bytes[this.length++] = rest
      return
    }
    // Timestamps far apart.
    let rest = value >= 0 ? BigInt(value) * 2n : BigInt(-value) * 2n - 1n
    for (; rest >= 0x80n; rest >>= 7n) this.#bytes[this.length++] = Number(rest & 0x7fn) | 0x80
    this.#bytes[this.length++] = Number(rest)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.length++] = value
  }

  sized(value: Buffer | string | null): void {
    if (value === null) return this.varint(-1)
    if (typeof value !== 'string') {
      this.varint(value.length)
      return this.raw(value)
    }
    const length = Buffer.byteLength(value)
    this.varint(length)
    this.#reserve(length)
    this.length += this.#bytes.write(value, this.length)
  }

  raw(bytes: Buffer): void {
    this.#reserve(bytes.length)
    this.length += bytes.copy(this.#bytes, this.length)
  }

  take(): Buffer {
    return this.#bytes.subarray(0, this.length)
  }

  #reserve(more: number): void {
    if (this.length + more <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.length + more, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.length)
    this.#bytes = larger
  }
}

/** An uncompressed batch of records as a producer without an id would send it. `now` dates records without a timestamp. */
export function buildBatch(records: readonly NewRecord[], now: number): Buffer {
  const times = records.map(record => record.timestamp ?? now)
  const baseTimestamp = times[0] ?? now
  const body = new ByteList()
  const one = new ByteList()
  for (const [index, record] of records.entries()) {
    one.length = 0
    one.byte(0)
    one.varint(times[index]! - baseTimestamp)
    one.varint(index)
    one.sized(record.key ?? null)
    one.sized(record.value)
    const headers = record.headers ?? []
    one.varint(headers.length)
    for (const [name, value] of headers) {
      one.sized(name)
      one.sized(value)
    }
    body.varint(one.length)
    body.raw(one.take())
  }
  const batch = Buffer.allocUnsafeSlow(at.records + body.length)
  batch.writeBigInt64BE(0n, at.baseOffset)
  batch.writeInt32BE(batch.length - prefixBytes, at.batchLength)
  batch.writeInt32BE(0, at.leaderEpoch)
  batch.writeInt8(2, at.magic)
  batch.writeInt16BE(0, at.attributes)
  batch.writeInt32BE(records.length - 1, at.lastOffsetDelta)
  batch.writeBigInt64BE(BigInt(baseTimestamp), at.baseTimestamp)
  batch.writeBigInt64BE(BigInt(times.reduce((latest, time) => Math.max(latest, time), baseTimestamp)), at.maxTimestamp)
  batch.writeBigInt64BE(-1n, at.producerId)
  batch.writeInt16BE(-1, at.producerEpoch)
  batch.writeInt32BE(-1, at.baseSequence)
  batch.writeInt32BE(records.length, at.recordsCount)
  body.take().copy(batch, at.records)
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
  return batch
}
