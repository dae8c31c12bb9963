import { afterEach } from 'node:test'
import { systemClock } from '../../src/adapters/host/system-clock.ts'
import { openKafkaConsumer } from '../../src/adapters/kafka/kafka-consumer.ts'
import type { KafkaTuning } from '../../src/adapters/kafka/kafka-consumer.ts'
import type { Consumer, ConsumerOptions } from '../../src/ports/consumer.ts'
import { RecordingListener } from '../adapters/kafka/recording-listener.ts'
import type { RealKafka } from '../support/kafka/real-kafka.ts'
import { eventually } from '../support/poll.ts'
import { RecordingLog } from '../support/recording-log.ts'

export interface Opened {
  readonly consumer: Consumer
  readonly listener: RecordingListener
}

/** Opens consumers of `<topic>-readers` that commit what they have read when it is revoked, and ends them after each test. */
export function consumersOn(kafka: RealKafka) {
  const opened: Consumer[] = []
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(consumer => consumer.stop()))
  })
  return (topic: string, options: Partial<ConsumerOptions> = {}, tuning: Partial<KafkaTuning> = {}): Opened => {
    const listener = new RecordingListener()
    const consumer = openKafkaConsumer(
      {
        cluster: { bootstrapServers: kafka.bootstrap() },
        topic,
        groupId: `${topic}-readers`,
        clientId: 'test',
        startingPosition: { kind: 'TRIM_HORIZON' },
        groupProtocol: 'classic',
        drainMs: 5000,
        ...options
      },
      { clock: systemClock, log: new RecordingLog() },
      { sessionTimeoutMs: 6000, metadataMaxAgeMs: 1000, ...tuning }
    )
    opened.push(consumer)
    listener.onRevoked = async partitions =>
      consumer.commit(partitions.flatMap(each => readPast(topic, listener, each)))
    consumer.start(listener)
    return { consumer, listener }
  }
}

/** The offset behind the last record of the partition that came. */
export function readPast(topic: string, listener: RecordingListener, partition: number) {
  const last = listener.records.findLast(record => record.partition === partition)
  return last === undefined ? [] : [{ topic, partition, offset: last.offset + 1 }]
}

export const until = (check: () => boolean, describe: string | (() => string)) =>
  eventually(check, { describe, intervalMs: 20, timeoutMs: 30_000 })

export const seen = (listener: RecordingListener, count: number) =>
  until(
    () => listener.records.length >= count,
    () =>
      `${count} records; ${listener.records.length} came; ${listener.events.join('; ')}; ${listener.problemNow?.message}`
  )

export const owns = (listener: RecordingListener, count: number) =>
  until(
    () => listener.owned.size === count,
    () => `owning ${count}; ${listener.events.join('; ')}; ${listener.problemNow?.message}`
  )

export const sorted = (values: readonly (string | null)[]): string[] =>
  values.map(String).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))

export const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix} ${index}`)
