// Rate of the adapter's own fetch path against the embedded broker in a process of its own: connection, parser, decoder
// and checksum, without a group, a batch or a call.
//   node bench/fetch.ts [--records=2000000] [--bytes=100] [--partitions=12] [--batch=1000] [--codec=none] [--bootstrap=host:port --topic=name]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { Producer } from '@platformatic/kafka'
import type { CompressionAlgorithmValue } from '@platformatic/kafka'
import { systemClock } from '../src/adapters/host/system-clock.ts'
import { BufferPool } from '../src/adapters/kafka/buffer-pool.ts'
import { Cluster } from '../src/adapters/kafka/cluster.ts'
import { Fetcher } from '../src/adapters/kafka/fetcher.ts'
import { ProblemBoard } from '../src/adapters/kafka/problems.ts'
import { EmbeddedBroker } from '../src/devbroker/broker.ts'
import { RecordingLog } from '../test/support/recording-log.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '2000000' },
    bytes: { type: 'string', default: '100' },
    partitions: { type: 'string', default: '12' },
    batch: { type: 'string', default: '1000' },
    codec: { type: 'string', default: 'none' },
    bootstrap: { type: 'string' },
    topic: { type: 'string', default: 'bench' }
  }
})

if (process.send === undefined) await measure()
else await serve()

/** The broker's process. */
async function serve(): Promise<void> {
  const broker = new EmbeddedBroker({ maxBytes: 4 * 2 ** 30 })
  await broker.start()
  broker.createTopic(values.topic, { partitions: Number(values.partitions) })
  process.send!(broker.bootstrap)
  process.once('disconnect', () => process.exit())
}

async function measure(): Promise<void> {
  const child = values.bootstrap === undefined ? fork(import.meta.filename, process.argv.slice(2)) : undefined
  const bootstrap = values.bootstrap ?? String((await once(child!, 'message'))[0])
  if (child !== undefined) await fill(bootstrap)
  const pool = new BufferPool(32 << 20)
  const log = new RecordingLog()
  const cluster = new Cluster(
    { bootstrapServers: [bootstrap], clientId: 'bench', connectTimeoutMs: 5000, requestTimeoutMs: 10_000 },
    { clock: systemClock, pool }
  )
  const topic = (await cluster.topics([values.topic])).get(values.topic)
  if (topic === undefined || typeof topic === 'number') throw new Error(`no topic ${values.topic}`)

  const wanted = Number(values.records)
  const { promise: done, resolve } = Promise.withResolvers<void>()
  let records = 0
  let bytes = 0
  let startedMs = 0
  let cpu = process.cpuUsage()
  const fetcher = new Fetcher(
    { maxWaitMs: 500, maxBytes: 4 << 20, partitionMaxBytes: 1 << 20, requestTimeoutMs: 10_000 },
    {
      cluster,
      clock: systemClock,
      log,
      problems: new ProblemBoard(problem => problem && console.error(problem.message), systemClock),
      sink: {
        wants: () => true,
        fetched(block) {
          if (records === 0) {
            startedMs = performance.now()
            cpu = process.cpuUsage()
          }
          records += block.count
          bytes += block.bytes.length
          block.finish(block.count)
          if (records >= wanted) resolve()
        },
        skipped: () => undefined,
        jumped: () => undefined
      },
      refreshTopic: () => undefined,
      resetOffset: () => Promise.resolve(undefined)
    }
  )
  for (const partition of topic.partitions.keys()) fetcher.add({ topic: values.topic, partition }, 0)
  fetcher.setTopic(topic)
  await done
  const seconds = (performance.now() - startedMs) / 1000
  const { user, system } = process.cpuUsage(cpu)
  fetcher.stop()
  await cluster.close()
  child?.disconnect()
  console.log(
    JSON.stringify({
      records,
      recordsPerSecond: Math.round(records / seconds),
      MBps: Math.round(bytes / seconds / 1e6),
      cpuSecondsPerMillion: Number(((user + system) / records).toFixed(3)),
      rssMB: Math.round(process.memoryUsage.rss() / 2 ** 20)
    })
  )
}

async function fill(bootstrap: string): Promise<void> {
  const producer = new Producer({
    clientId: 'fill',
    bootstrapBrokers: [bootstrap],
    compression: values.codec as CompressionAlgorithmValue
  })
  const size = Number(values.batch)
  const text = 'the quick brown fox jumps over the lazy dog, '
  const value = Buffer.from(text.repeat(Math.ceil(Number(values.bytes) / text.length)).slice(0, Number(values.bytes)))
  const messages = (partition: number) =>
    Array.from({ length: size }, (_, index) => ({
      topic: values.topic,
      partition,
      key: Buffer.from(`key-${index}`.padEnd(16)),
      value
    }))
  for (let sent = 0, turn = 0; sent < Number(values.records); sent += size, turn++)
    await producer.send({ messages: messages(turn % Number(values.partitions)), acks: 1 })
  await producer.close()
}
