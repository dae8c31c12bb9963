import { systemClock } from '../../src/adapters/host/system-clock.ts'
import { readTopic } from '../../src/adapters/kafka/topic-reader.ts'
import { silentLog } from '../../src/adapters/log/silent.ts'
import { column } from '../../src/core/record.ts'

export interface ReadValue {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
}

/** What lies in a topic now, from its beginning; within a partition in order. */
export async function topicValues(bootstrapServers: readonly string[], topic: string): Promise<ReadValue[]> {
  const values: ReadValue[] = []
  const options = { cluster: { bootstrapServers }, clientId: 'test', topic, from: 'earliest', follow: false } as const
  const signal = AbortSignal.timeout(20_000)
  for await (const block of readTopic({ ...options, signal }, { clock: systemClock, log: silentLog })) {
    const { positions, bytes, offsets, partition, count } = block
    for (let row = 0; row < count; row++) {
      const text = (from: number, to: number) => {
        const start = positions[row * column.stride + from]!
        return start < 0 ? null : bytes.toString('utf8', start, positions[row * column.stride + to])
      }
      const key = text(column.keyStart, column.keyEnd)
      const value = text(column.valueStart, column.valueEnd)
      values.push({ partition, offset: offsets[row]!, key, value })
    }
    block.finish(count)
  }
  return values
}
