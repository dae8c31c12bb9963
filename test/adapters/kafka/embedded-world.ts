import type { TestContext } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { openKafkaConsumer } from '../../../src/adapters/kafka/kafka-consumer.ts'
import type { KafkaTuning } from '../../../src/adapters/kafka/kafka-consumer.ts'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'
import type { EmbeddedBrokerOptions } from '../../../src/devbroker/broker.ts'
import type { Consumer, ConsumerOptions, GroupProtocolChoice } from '../../../src/ports/consumer.ts'
import { eventually } from '../../support/poll.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { RecordingListener } from './recording-listener.ts'

export interface Opened {
  readonly consumer: Consumer
  readonly listener: RecordingListener
  readonly log: RecordingLog
}

/** The request by which a member of a group of each protocol shows that it lives. */
export const heartbeatOf = { classic: 'Heartbeat', consumer: 'ConsumerGroupHeartbeat' } as const

/** An embedded broker with the topic `orders`, and consumers on it that end with the test. */
export async function embeddedWorld(
  t: TestContext,
  partitions = 3,
  groupProtocol: GroupProtocolChoice = 'classic',
  options: EmbeddedBrokerOptions = {}
) {
  const broker = new EmbeddedBroker({ consumerHeartbeatIntervalMs: 100, ...options })
  await broker.start()
  broker.createTopic('orders', { partitions })
  const opened: Consumer[] = []
  t.after(async () => {
    await Promise.all(opened.map(consumer => consumer.stop()))
    await broker.stop()
  })
  const open = (
    options: Partial<ConsumerOptions> = {},
    tuning: Partial<KafkaTuning> = {},
    listener = new RecordingListener()
  ): Opened => {
    const log = new RecordingLog()
    const consumer = openKafkaConsumer(
      {
        cluster: { bootstrapServers: [broker.bootstrap] },
        topic: 'orders',
        groupId: 'readers',
        clientId: 'test',
        startingPosition: { kind: 'TRIM_HORIZON' },
        groupProtocol,
        drainMs: 5000,
        ...options
      },
      { clock: systemClock, log },
      { sessionTimeoutMs: 6000, ...tuning }
    )
    opened.push(consumer)
    consumer.start(listener)
    return { consumer, listener, log }
  }
  const put = (partition: number, ...values: string[]) =>
    broker.append(
      'orders',
      partition,
      values.map(value => ({ value: Buffer.from(value) }))
    )
  const owns = (listener: RecordingListener, ...partitions: number[]) =>
    until(
      () => partitions.length === listener.owned.size && partitions.every(each => listener.owned.has(each)),
      () => `owning ${partitions.join()}; owned ${[...listener.owned].join()}; ${listener.events.join('; ')}`
    )
  return { broker, open, put, owns }
}

/** Asks often: what is awaited happens within milliseconds. */
export const until = (check: () => boolean, describe: string | (() => string)) =>
  eventually(check, { describe, intervalMs: 5, timeoutMs: 15_000 })

export const seen = (listener: RecordingListener, count: number) =>
  until(
    () => listener.records.length >= count,
    () => `${count} records; ${listener.records.length} came; ${listener.events.join('; ')}`
  )

export const at = (partition: number, offset: number, metadata?: string) => ({
  topic: 'orders',
  partition,
  offset,
  ...(metadata === undefined ? {} : { metadata })
})

/** Commits all that has come of a partition before it is given up. */
export function commitsOnRevoke({ consumer, listener }: Opened): void {
  listener.onRevoked = async partitions => {
    const offsets = partitions.flatMap(partition => {
      const last = listener.records.findLast(record => record.partition === partition)
      return last === undefined ? [] : [at(partition, last.offset + 1)]
    })
    await consumer.commit(offsets)
  }
}

export const byText = (a: string, b: string): number => a.localeCompare(b)
