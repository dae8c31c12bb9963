import { createRecordsBatch } from '@platformatic/kafka'
import type { CompressionAlgorithmValue, MessageRecord } from '@platformatic/kafka'
import { crc32c } from '../../../src/adapters/kafka/crc32c.ts'

export interface Fields {
  readonly key?: Buffer
  readonly value?: Buffer
  readonly headers?: Map<Buffer, Buffer>
  readonly timestamp?: bigint
}

/** A batch as the library's producer writes it, renumbered: the broker decides the base offset, outside the checksum. */
export function batchOf(
  records: readonly Fields[],
  compression: CompressionAlgorithmValue = 'none',
  baseOffset = 0
): Buffer {
  const messages = records.map(record => ({ topic: 't', ...record })) as MessageRecord[]
  const batch = Buffer.from(createRecordsBatch(messages, { compression }).buffer)
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  return batch
}

/** Changes the header and puts the checksum right again. */
export function rewritten(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(batch)
  change(copy)
  copy.writeUInt32BE(crc32c(copy.subarray(21)), 17)
  return copy
}

export const valued = (value: string): Fields => ({ value: Buffer.from(value) })
