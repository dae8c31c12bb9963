import type { TestContext } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { openProducer } from '../../../src/adapters/kafka/producer.ts'
import type { Producer, ProducerTuning } from '../../../src/adapters/kafka/producer.ts'
import { readTopic } from '../../../src/adapters/kafka/topic-reader.ts'
import type { ReadTopicOptions, ReadTopicTuning } from '../../../src/adapters/kafka/topic-reader.ts'
import { column } from '../../../src/core/record.ts'
import type { Block } from '../../../src/core/record.ts'
import type { Log } from '../../../src/ports/log.ts'
import { RecordingLog } from '../../support/recording-log.ts'

export interface WrittenRecord {
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string | null])[]
}

/** A producer that ends with the test. */
export function producerFor(
  t: TestContext,
  bootstrapServers: readonly string[],
  tuning: Partial<ProducerTuning> = {},
  log: Log = new RecordingLog()
): Producer {
  const producer = openProducer(
    { cluster: { bootstrapServers }, clientId: 'test' },
    { clock: systemClock, log },
    tuning
  )
  t.after(() => producer.close())
  return producer
}

/** What is in the topic, by default all of it, as it is now. */
export async function written(
  bootstrapServers: readonly string[],
  topic: string,
  options: Partial<ReadTopicOptions> = {},
  tuning: Partial<ReadTopicTuning> = {}
): Promise<WrittenRecord[]> {
  const records: WrittenRecord[] = []
  for await (const block of openReading(bootstrapServers, topic, options, tuning)) records.push(...takeRecords(block))
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

export function openReading(
  bootstrapServers: readonly string[],
  topic: string,
  options: Partial<ReadTopicOptions> = {},
  tuning: Partial<ReadTopicTuning> = {},
  log: Log = new RecordingLog()
): AsyncGenerator<Block, void> {
  const signal = AbortSignal.timeout(30_000)
  return readTopic(
    { cluster: { bootstrapServers }, clientId: 'test', topic, from: 'earliest', follow: false, signal, ...options },
    { clock: systemClock, log },
    tuning
  )
}

/** The block's records as objects; the block is finished. */
export function takeRecords(block: Block): WrittenRecord[] {
  const { bytes, offsets, partition, positions, timestamps } = block
  const text = (start: number, end: number) => (start < 0 ? null : bytes.toString('utf8', start, end))
  const records = Array.from({ length: block.count }, (_, index) => {
    const row = positions.subarray(index * column.stride, (index + 1) * column.stride)
    return {
      partition,
      offset: offsets[index]!,
      timestampMs: timestamps[index]!,
      key: text(row[column.keyStart]!, row[column.keyEnd]!),
      value: text(row[column.valueStart]!, row[column.valueEnd]!),
      headers: readHeaders(bytes, row[column.headers]!)
    }
  })
  block.finish(block.count)
  return records
}

export const values = (records: readonly WrittenRecord[]): (string | null)[] => records.map(({ value }) => value)

function readHeaders(bytes: Buffer, from: number): (readonly [string, string | null])[] {
  let at = from
  const varint = (): number => {
    let value = 0
    let scale = 1
    for (let byte = 0x80; byte >= 0x80; scale *= 128) {
      byte = bytes[at++]!
      value += (byte & 0x7f) * scale
    }
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }
  const field = (): string | null => {
    const size = varint()
    if (size < 0) return null
    at += size
    return bytes.toString('utf8', at - size, at)
  }
  return Array.from({ length: varint() }, () => [field() ?? '', field()] as const)
}
