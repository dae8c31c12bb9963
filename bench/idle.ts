// What mappings cost that have nothing to do, and how soon they are there when they have: CPU of the process, connections
// and writes (one for each request to a broker) while topics are silent, then single records to random topics.
//   node bench/idle.ts [--mappings 100] [--partitions 10] [--seconds 30] [--records 300] [--broker kafka|embedded] [--window 0]
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CreateEventSourceMappingCommand, LambdaClient, paginateListEventSourceMappings } from '@aws-sdk/client-lambda'
import { Admin, Producer, stringSerializers } from '@platformatic/kafka'
import { openBroker } from './bench-broker.ts'
import type { BrokerKind } from './bench-broker.ts'
import { end, firstLine, spawnProgram } from './child.ts'
import { costOf, cpuSeconds, difference, peakMiB } from './process-cost.ts'

const { values } = parseArgs({
  options: {
    mappings: { type: 'string', default: '100' },
    partitions: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '30' },
    records: { type: 'string', default: '300' },
    window: { type: 'string', default: '0' },
    broker: { type: 'string' }
  }
})
const [mappings, partitions, seconds, records] = [
  Number(values.mappings),
  Number(values.partitions),
  Number(values.seconds),
  Number(values.records)
]
const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench-secret' }
/** Groups have formed, code is compiled. */
const settleMs = 20_000
const topicOf = (index: number): string => `idle-${index}`

const say = (text: string): boolean => process.stderr.write(`${text}\n`)

/** The function: when each call came, by the record's value. */
async function openFunction() {
  const waiting = new Map<string, (arrivedMs: number) => void>()
  const server = createServer((request, response) => {
    const arrivedMs = performance.now()
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk as Buffer))
    request.on('end', () => {
      const event = JSON.parse(Buffer.concat(chunks).toString()) as { records: Record<string, { value: string }[]> }
      for (const { value } of Object.values(event.records).flat())
        waiting.get(Buffer.from(value, 'base64').toString())?.(arrivedMs)
      response.end('{}')
    })
  })
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  const arrival = (value: string) => new Promise<number>(resolve => void waiting.set(value, resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrival,
    [Symbol.dispose]: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}

/** Sockets of the process, and its calls of write(2) so far: one for a request to a broker, some between threads. */
function useOf(pid: number): { sockets: number; writes: number } {
  const fds = readdirSync(`/proc/${pid}/fd`)
  const isSocket = (fd: string) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:')
    } catch {
      return false
    }
  }
  const io = readFileSync(`/proc/${pid}/io`, 'latin1')
  return { sockets: fds.filter(isSocket).length, writes: Number(/^syscw: (\d+)$/m.exec(io)?.[1]) }
}

async function createTopics(bootstrap: string): Promise<void> {
  const admin = new Admin({ clientId: 'bench', bootstrapBrokers: [bootstrap], timeout: 60_000 })
  for (let from = 0; from < mappings; from += 20) {
    const topics = Array.from({ length: Math.min(20, mappings - from) }, (_, index) => topicOf(from + index))
    await admin.createTopics({ topics, partitions, replicas: 1 })
  }
  await admin.close()
}

async function createMappings(client: LambdaClient, bootstrap: string): Promise<void> {
  for (let index = 0; index < mappings; index++)
    await client.send(
      new CreateEventSourceMappingCommand({
        FunctionName: 'bench',
        SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [bootstrap] } },
        Topics: [topicOf(index)],
        MaximumBatchingWindowInSeconds: Number(values.window),
        StartingPosition: 'TRIM_HORIZON'
      })
    )
  for (;;) {
    const states: (string | undefined)[] = []
    for await (const page of paginateListEventSourceMappings({ client }, {}))
      for (const mapping of page.EventSourceMappings ?? []) states.push(mapping.State)
    if (states.length === mappings && states.every(state => state === 'Enabled')) return
    await pause(200)
  }
}

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  await using broker = await openBroker(values.broker as BrokerKind | undefined, 0)
  say(`${mappings} topics of ${partitions} partitions (${broker.kind})`)
  await createTopics(broker.bootstrap)
  using target = await openFunction()
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-idle-'))
  const config = {
    listen: '127.0.0.1:0',
    adminListen: '127.0.0.1:0',
    dataDir: join(folder, 'data'),
    workers: 1,
    logLevel: 'error',
    credentials: [credentials],
    functions: { bench: { http: target.url } }
  }
  await writeFile(join(folder, 'millrace.yaml'), JSON.stringify(config))
  const child = spawnProgram(['serve', '--config', join(folder, 'millrace.yaml')])
  try {
    const { api } = JSON.parse(await firstLine(child)) as { api: string }
    const client = new LambdaClient({ endpoint: api, region: 'us-east-1', credentials: { ...credentials } })
    const began = performance.now()
    await createMappings(client, broker.bootstrap)
    client.destroy()
    say(`all enabled after ${Math.round(performance.now() - began)} ms`)
    await pause(settleMs)
    const pid = child.pid!
    const [cost, use, startMs] = [costOf(pid)!, useOf(pid), performance.now()]
    await pause(seconds * 1000)
    const tookSeconds = (performance.now() - startMs) / 1000
    const after = useOf(pid)
    const idle = difference(cost, costOf(pid)!)
    const latencies = await measureLatency(broker.bootstrap, target.arrival)
    console.log(
      JSON.stringify({
        mappings,
        partitions,
        broker: broker.kind,
        percentOfACore: Number(((100 * cpuSeconds(idle)) / tookSeconds).toFixed(2)),
        writesPerSecond: Math.round((after.writes - use.writes) / tookSeconds),
        sockets: after.sockets,
        peakMiB: peakMiB(pid),
        appendToCallMs: latencies
      })
    )
  } finally {
    await end(child, 'SIGTERM')
    await rm(folder, { recursive: true, force: true })
  }
}

/** From the moment the producer is given a record to the first byte of the call that brings it. */
async function measureLatency(bootstrap: string, arrival: (value: string) => Promise<number>) {
  const producer = new Producer({
    clientId: 'bench',
    bootstrapBrokers: [bootstrap],
    serializers: stringSerializers,
    acks: 1
  })
  const took: number[] = []
  for (let index = 0; index < records; index++) {
    const topic = topicOf((index * 7919) % mappings)
    const value = `record ${index}`
    const arrived = arrival(value)
    const sentMs = performance.now()
    await producer.send({ messages: [{ topic, partition: index % partitions, value }] })
    took.push((await arrived) - sentMs)
  }
  await producer.close()
  const sorted = took.slice(Math.min(50, took.length / 4)).toSorted((a, b) => a - b)
  const at = (share: number) => Number((sorted[Math.floor((sorted.length - 1) * share)] ?? NaN).toFixed(1))
  return { p50: at(0.5), p99: at(0.99), most: at(1) }
}

await main()
