// Memory of a process whose budget is short of work for all: a thousand partitions with a backlog, and a function that is
// slower than Kafka. Peak and usual resident memory of Millrace alone. Linux only. See docs/performance.md.
//   node bench/memory.ts [--mappings 1] [--partitions 1000] [--records 400] [--seconds 25] [--delay 100] [--budget 256] [--workers 1] [--broker kafka|embedded]
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CreateEventSourceMappingCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { fill, openBroker } from './bench-broker.ts'
import type { BrokerKind } from './bench-broker.ts'
import { end, firstLine, spawnProgram } from './child.ts'
import { machine } from './machine.ts'
import { peakMiB, residentMiB } from './process-cost.ts'
import { spread } from './report.ts'

const { values } = parseArgs({
  options: {
    mappings: { type: 'string', default: '1' },
    partitions: { type: 'string', default: '1000' },
    /** Of 1 KB, in each partition. */
    records: { type: 'string', default: '400' },
    seconds: { type: 'string', default: '25' },
    delay: { type: 'string', default: '100' },
    budget: { type: 'string', default: '256' },
    workers: { type: 'string', default: '1' },
    broker: { type: 'string' }
  }
})
const [mappings, partitions, records] = [Number(values.mappings), Number(values.partitions), Number(values.records)]
const perMapping = Math.ceil(partitions / mappings)
const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench-secret' }
const filledAtOnce = 10
const topicOf = (mapping: number): string => `memory-${mapping}`

const say = (text: string): boolean => process.stderr.write(`${text}\n`)

/** Answers after a while. */
async function openFunction(delayMs: number) {
  const seen = { calls: 0, bytes: 0, partitions: new Set<string>() }
  const server = createServer((request, response) => {
    let first: Buffer | undefined
    request.on('data', (chunk: Buffer) => {
      first ??= chunk
      seen.bytes += chunk.length
    })
    request.on('end', () => {
      seen.calls++
      const partition = /"records":\{"([^"]+)"/.exec(first?.toString('latin1') ?? '')?.[1]
      if (partition !== undefined) seen.partitions.add(partition)
      setTimeout(() => response.end('{"batchItemFailures":[]}'), delayMs)
    })
  })
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.dispose]: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  await using broker = await openBroker(values.broker as BrokerKind | undefined, partitions * records * 1_024)
  say(`filling ${mappings} topics of ${perMapping} partitions, ${records} records of 1 KB each (${broker.kind})`)
  for (let from = 0; from < mappings; from += filledAtOnce) {
    const these = Array.from({ length: Math.min(filledAtOnce, mappings - from) }, (_, index) => topicOf(from + index))
    const each = { partitions: perMapping, valueBytes: 1_024, records: records * perMapping }
    await Promise.all(these.map(topic => fill(broker.bootstrap, { topic, ...each })))
  }
  say(`filled after ${Math.round(process.uptime())} s`)
  using target = await openFunction(Number(values.delay))
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-memory-'))
  const config = {
    listen: '127.0.0.1:0',
    adminListen: '127.0.0.1:0',
    dataDir: join(folder, 'data'),
    workers: Number(values.workers),
    memoryBudgetMiB: Number(values.budget),
    logLevel: 'error',
    credentials: [credentials],
    functions: { bench: { http: target.url } }
  }
  await writeFile(join(folder, 'millrace.yaml'), JSON.stringify(config))
  const child = spawnProgram(['serve', '--config', join(folder, 'millrace.yaml')])
  try {
    const { api } = JSON.parse(await firstLine(child)) as { api: string }
    const atRest = residentMiB(child.pid!)
    const client = new LambdaClient({ endpoint: api, region: 'us-east-1', credentials: { ...credentials } })
    for (let mapping = 0; mapping < mappings; mapping++)
      await client.send(
        new CreateEventSourceMappingCommand({
          FunctionName: 'bench',
          SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [broker.bootstrap] } },
          Topics: [topicOf(mapping)],
          BatchSize: 1_000,
          StartingPosition: 'TRIM_HORIZON'
        })
      )
    client.destroy()
    const samples: number[] = []
    for (let second = 0; second < Number(values.seconds); second++) {
      await pause(1_000)
      samples.push(residentMiB(child.pid!) ?? NaN)
    }
    console.log(
      JSON.stringify({
        ...machine(),
        broker: broker.kind,
        mappings,
        partitions,
        budgetMiB: Number(values.budget),
        calls: target.seen.calls,
        eventMiB: Math.round(target.seen.bytes / (1 << 20)),
        partitionsSeen: target.seen.partitions.size,
        residentMiB: { atRest, median: spread(samples).median, peak: peakMiB(child.pid!) }
      })
    )
  } finally {
    await end(child, 'SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
}

await main()
