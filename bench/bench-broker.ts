import { setTimeout as pause } from 'node:timers/promises'
import { Admin, Producer, stringSerializers } from '@platformatic/kafka'
import { kafkaJars } from '../test/support/kafka/jars.ts'
import { RealKafka } from '../test/support/kafka/real-kafka.ts'
import { end, firstLine, spawnProgram } from './child.ts'

export type BrokerKind = 'kafka' | 'embedded'

/** A broker for as long as the benchmark runs, with topics that are filled once. */
export interface BenchBroker extends AsyncDisposable {
  readonly kind: BrokerKind
  readonly bootstrap: string
}

/** Apache Kafka where its jars and Java can be had, unless told otherwise; else the embedded broker in its own process. */
export async function openBroker(wanted: BrokerKind | undefined, recordBytes: number): Promise<BenchBroker> {
  const kind = wanted ?? ((await kafkaJars()).available ? 'kafka' : 'embedded')
  return kind === 'kafka' ? openKafka() : openEmbedded(recordBytes)
}

async function openKafka(): Promise<BenchBroker> {
  const kafka = new RealKafka()
  await kafka.start()
  return { kind: 'kafka', bootstrap: kafka.bootstrap().join(','), [Symbol.asyncDispose]: () => kafka.stop() }
}

async function openEmbedded(recordBytes: number): Promise<BenchBroker> {
  // What batches and records take beside their values, and then some: the oldest records must not go.
  const maxMiB = 64 + Math.ceil((recordBytes * 2) / (1 << 20))
  const child = spawnProgram(['broker', '--listen', '127.0.0.1:0', '--output', 'json', '--max-mib', String(maxMiB)])
  const { bootstrap } = JSON.parse(await firstLine(child)) as { bootstrap: string }
  return { kind: 'embedded', bootstrap, [Symbol.asyncDispose]: () => end(child) }
}

export interface Filling {
  readonly topic: string
  readonly partitions: number
  readonly valueBytes: number
  /** Over all partitions, shared out evenly. */
  readonly records: number
  /** The value at an offset; default: looks like JSON. */
  readonly value?: (offset: number) => Buffer
}

/** Messages that are handed to the producer at once, over all partitions. */
const sentAtOnce = 6_000

/** Makes the topic and fills it: keys of 16 bytes, no headers, 1,000 records to a producer's batch but no more than 512 KiB. */
export async function fill(
  bootstrap: string,
  { topic, partitions, valueBytes, records, value }: Filling
): Promise<void> {
  const client = { clientId: 'bench-filler', bootstrapBrokers: [bootstrap] }
  const admin = new Admin(client)
  try {
    await admin.createTopics({ topics: [topic], partitions, replicas: 1 })
    await untilLed(admin, topic, partitions)
  } finally {
    await admin.close()
  }
  const producer = new Producer<Buffer, Buffer, string, string>({
    ...client,
    acks: -1,
    // A retry must not leave records twice.
    idempotent: true,
    serializers: { ...stringSerializers, key: bytes => bytes, value: bytes => bytes },
    retries: 20,
    retryDelay: 100
  })
  try {
    const perBatch = Math.min(1_000, Math.floor((512 << 10) / (valueBytes + 16)))
    const perPartition = records / partitions
    const values = Array.from({ length: 64 }, (_, seed) => valueOf(valueBytes, seed))
    const valueAt = value ?? (offset => values[offset % values.length]!)
    const together = Math.max(1, Math.floor(sentAtOnce / perBatch))
    for (let from = 0; from < perPartition; from += perBatch) {
      const to = Math.min(perPartition, from + perBatch)
      for (let first = 0; first < partitions; first += together) {
        const those = Math.min(together, partitions - first)
        const messages = Array.from({ length: (to - from) * those }, (_, index) => {
          const partition = first + (index % those)
          const offset = from + Math.floor(index / those)
          return { topic, partition, key: keyOf(partition, offset), value: valueAt(offset) }
        })
        await producer.send({ messages })
      }
    }
  } finally {
    await producer.close()
  }
}

/** A thousand partitions take a while; a producer that has numbered its records must not meet one that is not there yet. */
async function untilLed(admin: Admin, name: string, count: number): Promise<void> {
  const latest = -1n
  const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp: latest }))
  const deadlineMs = performance.now() + 60_000
  for (;;) {
    try {
      await admin.listOffsets({ topics: [{ name, partitions }] })
      return
    } catch (error) {
      if (performance.now() > deadlineMs) throw error
      await pause(200)
    }
  }
}

const keyOf = (partition: number, offset: number): Buffer =>
  Buffer.from(`${partition}-${offset}`.padEnd(16, 'k').slice(0, 16))

/** Looks like JSON, is as long as asked for, and differs by seed. */
function valueOf(bytes: number, seed: number): Buffer {
  const words = Array.from(
    { length: 200 },
    (_, index) => `"field${index}":${(seed * 7919 + index * 104_729) % 1_000_003}`
  )
  return Buffer.from(`{${words.join(',')}`.slice(0, bytes - 1).padEnd(bytes - 1, ' ') + '}')
}
