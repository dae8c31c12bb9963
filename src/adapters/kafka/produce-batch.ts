import { crc32c } from './crc32c.ts'

/** One record as it is written. */
export interface NewRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Pairs, as a name may come twice. */
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
  /** Epoch milliseconds, whole. */
  readonly timestampMs: number
}

/** Who writes, for the broker to know a batch that came before. */
export interface ProducerIdentity {
  readonly id: bigint
  readonly epoch: number
}

/** Where the fields of a record batch of format v2 stand (RecordBatch of Apache Kafka's protocol documentation). */
const place = {
  length: 8,
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
  count: 57,
  records: 61
} as const

/** Bytes that a batch takes beside its records. */
export const batchOverheadBytes = place.records

/** A record batch without compression and without a producer: `stampBatch` gives it one. At least one record. */
export function encodeBatch(records: readonly NewRecord[]): Buffer {
  const baseTimestampMs = records[0]!.timestampMs
  const bodies = records.map((record, index) => bodyBytes(record, record.timestampMs - baseTimestampMs, index))
  const size = bodies.reduce((sum, bytes) => sum + varintBytes(bytes) + bytes, place.records)
  const batch = Buffer.allocUnsafeSlow(size)
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(size - place.leaderEpoch, place.length)
  batch.writeInt32BE(-1, place.leaderEpoch)
  batch.writeInt8(2, place.magic)
  batch.writeInt16BE(0, place.attributes)
  batch.writeInt32BE(records.length - 1, place.lastOffsetDelta)
  batch.writeBigInt64BE(BigInt(baseTimestampMs), place.baseTimestamp)
  const newestMs = records.reduce((newest, { timestampMs }) => Math.max(newest, timestampMs), baseTimestampMs)
  batch.writeBigInt64BE(BigInt(newestMs), place.maxTimestamp)
  batch.writeInt32BE(records.length, place.count)
  let at: number = place.records
  for (const [index, record] of records.entries()) {
    at = writeVarint(batch, at, bodies[index]!)
    at = writeBody(batch, at, record, record.timestampMs - baseTimestampMs, index)
  }
  stampBatch(batch, { id: -1n, epoch: -1 }, -1)
  return batch
}

/** Says who wrote the batch, and which of the producer's records for this partition its first one is. */
export function stampBatch(batch: Buffer, identity: ProducerIdentity, sequence: number): void {
  batch.writeBigInt64BE(identity.id, place.producerId)
  batch.writeInt16BE(identity.epoch, place.producerEpoch)
  batch.writeInt32BE(sequence, place.baseSequence)
  batch.writeUInt32BE(crc32c(batch.subarray(place.attributes)), place.crc)
}

/** Sequences are 31 bits wide and begin again at 0. */
export const sequenceAfter = (sequence: number, records: number): number => (sequence + records) % 0x8000_0000

/** What a record takes in a batch, at most: the deltas are not known before the batch is. */
export const mostRecordBytes = (record: NewRecord): number => bodyBytes(record, 2 ** 45, 0x7fff_ffff) + 5

function bodyBytes({ key, value, headers }: NewRecord, timestampDelta: number, offsetDelta: number): number {
  let bytes = 1 + varintBytes(timestampDelta) + varintBytes(offsetDelta)
  bytes += fieldBytes(key?.length) + fieldBytes(value?.length) + varintBytes(headers.length)
  for (const [name, headerValue] of headers)
    bytes += fieldBytes(Buffer.byteLength(name)) + fieldBytes(headerValue?.length)
  return bytes
}

const fieldBytes = (length: number | undefined): number =>
  length === undefined ? varintBytes(-1) : varintBytes(length) + length

function writeBody(
  batch: Buffer,
  from: number,
  record: NewRecord,
  timestampDelta: number,
  offsetDelta: number
): number {
  let at = batch.writeInt8(0, from)
  at = writeVarint(batch, at, timestampDelta)
  at = writeVarint(batch, at, offsetDelta)
  at = writeField(batch, at, record.key)
  at = writeField(batch, at, record.value)
  at = writeVarint(batch, at, record.headers.length)
  for (const [name, value] of record.headers) {
    at = writeField(batch, at, Buffer.from(name))
    at = writeField(batch, at, value)
  }
  return at
}

function writeField(batch: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) return writeVarint(batch, at, -1)
  const start = writeVarint(batch, at, bytes.length)
  return start + bytes.copy(batch, start)
}

// Zigzag by arithmetic, not by bits: a difference of times may pass 32 bits.
const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value)

function varintBytes(value: number): number {
  let bytes = 1
  for (let left = zigzag(value); left >= 0x80; left = Math.floor(left / 0x80)) bytes++
  return bytes
}

function writeVarint(batch: Buffer, from: number, value: number): number {
  let at = from
  let left = zigzag(value)
  for (; left >= 0x80; left = Math.floor(left / 0x80)) batch[at++] = (left % 0x80) | 0x80
  batch[at++] = left
  return at
}
