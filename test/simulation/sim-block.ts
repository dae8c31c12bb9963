import { Block, column } from '../../src/core/record.ts'
import type { LogBatch, SimRecord } from './partition-log.ts'

export const topic = 'orders'
/** When the worlds begin. */
export const firstTimestamp = 1_700_000_000_000
/** Timestamps are whole multiples of this, and what is left of them is the record's id: ids stay below. */
const timestampStepMs = 5_000

/** The timestamp of a record that was made at about `madeAtMs` of the virtual time, which may be before it began. */
export const timestampOf = (id: number, madeAtMs: number): number =>
  firstTimestamp + Math.floor(madeAtMs / timestampStepMs) * timestampStepMs + id
export const largestBlockBytes = 32 << 20

// A zero is a null header count as well as payload, so one Buffer serves all records of all worlds.
let zeros: Buffer | undefined

/** The block that a fetch makes of a log's batch: keyless records of zeros, known by their timestamps (`timestampOf`). */
export function simBlock(batch: LogBatch, records: readonly SimRecord[], release: () => void): Block {
  zeros ??= Buffer.alloc(largestBlockBytes)
  const positions = new Int32Array(records.length * column.stride)
  let at = 0
  records.forEach((record, index) => {
    const row = index * column.stride
    positions[row + column.keyStart] = -1
    positions[row + column.keyEnd] = at
    positions[row + column.valueStart] = at
    at += record.valueBytes
    positions[row + column.valueEnd] = at
    positions[row + column.headers] = at
    at += 1
    positions[row + column.end] = at
  })
  return new Block(
    {
      topic,
      partition: records[0]!.partition,
      bytes: zeros,
      count: records.length,
      offsets: Float64Array.from(records, record => record.offset),
      timestamps: Float64Array.from(records, record => record.timestamp),
      timestampType: 'CREATE_TIME',
      positions,
      nextOffset: batch.next,
      leaderEpoch: batch.epoch
    },
    release
  )
}

/** Bytes of `count` records as the poller counts what it holds: payload and a row each. */
export const heldBytes = (records: readonly SimRecord[]): number =>
  records.reduce((sum, record) => sum + record.valueBytes + 1 + 40, 0)

export interface SentRecord {
  readonly id: number
  readonly partition: number
  readonly offset: number
}

const recordMark = Buffer.from(`{"topic":"${topic}","partition":`)
const offsetMark = ',"offset":'.length
const timestampMark = ',"timestamp":'.length

/** What an event carries, in its order. Reads only numbers: that events are right is proved elsewhere. */
export function readEvent(event: Uint8Array): SentRecord[] {
  const bytes = Buffer.from(event.buffer, event.byteOffset, event.length)
  const sent: SentRecord[] = []
  for (let at = bytes.indexOf(recordMark); at >= 0; at = bytes.indexOf(recordMark, at)) {
    at += recordMark.length
    const partition = digits(bytes, at)
    const offset = digits(bytes, partition.end + offsetMark)
    const timestamp = digits(bytes, offset.end + timestampMark)
    at = timestamp.end
    sent.push({ id: timestamp.value % timestampStepMs, partition: partition.value, offset: offset.value })
  }
  return sent
}

function digits(bytes: Buffer, at: number): { value: number; end: number } {
  let value = 0
  for (; bytes[at]! >= 48 && bytes[at]! <= 57; at++) value = value * 10 + bytes[at]! - 48
  return { value, end: at }
}
