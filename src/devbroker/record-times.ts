import { unfold } from './codecs.ts'
import { batchPayload, readHeader } from './record-batch.ts'

/** Where a record stands and when it was made. */
export interface RecordTime {
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** Reads a zigzag varint at `position`: its value and where the next field starts. */
function readVarint(bytes: Buffer, position: number): { value: number; next: number } {
  let raw = 0n
  let next = position
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes.readUInt8(next++)
    raw |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) break
    if (shift > 63n) throw new RangeError('a varint goes on past 10 bytes')
  }
  return { value: Number(raw & 1n ? -(raw >> 1n) - 1n : raw >> 1n), next }
}

/**
 * The times of a batch's records, in offset order. Producers fill the payload and nobody checked it: where it cannot be
 * read, one entry stands for the batch, its first offset at its highest time, so that a search by time starts too early
 * rather than too late.
 */
export function recordTimes(batch: Buffer): RecordTime[] {
  const header = readHeader(batch)
  const whole = [{ offset: header.baseOffset, timestamp: header.maxTimestamp }]
  if (header.logAppendTime) return whole
  try {
    const bytes = unfold(batchPayload(batch), header.codec)
    const times: RecordTime[] = []
    let position = 0
    for (let i = 0; i < header.recordsCount; i++) {
      const size = readVarint(bytes, position)
      if (size.value < 1) throw new RangeError('a record without bytes')
      const time = readVarint(bytes, size.next + 1)
      const offset = readVarint(bytes, time.next)
      times.push({ offset: header.baseOffset + offset.value, timestamp: header.baseTimestamp + time.value })
      position = size.next + size.value
    }
    return times
  } catch {
    return whole
  }
}
