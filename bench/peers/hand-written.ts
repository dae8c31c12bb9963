// A consumer as one writes it who needs just this one: the library's stream, objects, JSON.stringify, undici. It gathers
// batches by partition and has as many calls in flight as Millrace. No retry, no limit of an event's size, no commit of
// what is finished only: offsets are committed as they are read.
import { Consumer } from '@platformatic/kafka'
import type { Message } from '@platformatic/kafka'
import { Pool } from 'undici'
import type { BareJob } from '../bare.ts'

type Read = Message

interface Waiting {
  messages: Read[]
  /** One call at a time, so that order holds. */
  busy: boolean
  left: number
}

/** Of a fetch; by its default of 10 MiB the library makes so many objects at once that it is a third as fast. */
const maxBytes = 1 << 20

async function run(job: BareJob): Promise<void> {
  const { bootstrap, topic, url, batchSize, inFlight, recordsPerPartition } = job
  const consumer = new Consumer({
    clientId: 'hand-written',
    groupId: `hand-written-${process.pid}`,
    bootstrapBrokers: [bootstrap]
  })
  const { origin, pathname: path } = new URL(url)
  const pool = new Pool(origin, { connections: inFlight, pipelining: 1 })
  const partitions = new Map<number, Waiting>()
  let calls = 0
  let goOn: (() => void) | undefined

  const post = async (partition: number, waiting: Waiting) => {
    const messages = waiting.messages.splice(0, batchSize)
    waiting.busy = true
    waiting.left -= messages.length
    calls++
    const { statusCode, body } = await pool.request({
      path,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(eventOf(bootstrap, `${topic}-${partition}`, messages))
    })
    const answer = (await body.json()) as { batchItemFailures?: unknown[] }
    if (statusCode !== 200 || (answer.batchItemFailures ?? []).length > 0) throw new Error(`answer ${statusCode}`)
    waiting.busy = false
    calls--
    postAll()
    goOn?.()
  }
  const postAll = () => {
    for (const [partition, waiting] of partitions) {
      if (calls >= inFlight) return
      const enough = waiting.messages.length >= Math.min(batchSize, Math.max(1, waiting.left))
      if (!waiting.busy && enough) void post(partition, waiting)
    }
  }

  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: true, maxBytes })
  for await (const message of stream) {
    let waiting = partitions.get(message.partition)
    if (waiting === undefined)
      partitions.set(message.partition, (waiting = { messages: [], busy: false, left: recordsPerPartition }))
    waiting.messages.push(message)
    const { length } = waiting.messages
    if (length % batchSize !== 0 && length < waiting.left) continue
    postAll()
    // Reads no further than one batch ahead of what is called.
    while (waiting.messages.length >= 2 * batchSize) await new Promise<void>(resolve => (goOn = resolve))
  }
}

function eventOf(bootstrapServers: string, key: string, messages: readonly Read[]) {
  const records = messages.map(({ topic, partition, offset, timestamp, key, value, headers }) => ({
    topic,
    partition,
    offset: Number(offset),
    timestamp: Number(timestamp),
    timestampType: 'CREATE_TIME',
    key: key.toString('base64'),
    value: value.toString('base64'),
    headers: [...headers].map(([name, bytes]) => ({ [name.toString()]: [...new Int8Array(bytes)] }))
  }))
  return { eventSource: 'SelfManagedKafka', bootstrapServers, records: { [key]: records } }
}

process.on('message', (job: BareJob) => void run(job))
// Whoever started it has gone.
process.on('disconnect', () => process.exit())
process.send?.('ready')
