// The API with ten thousand mappings in its store: how long Get and pages of List take over HTTP, and how long the server
// takes to start. All mappings are disabled, so that no poller runs. Requests are signed before the clock starts.
//   node bench/store.ts [--mappings 10000] [--calls 2000]
import { readFile, mkdtemp, rm } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { Client } from 'undici'
import { openSqliteStore } from '../src/adapters/store/sqlite.ts'
import type { Mapping } from '../src/core/mapping/mapping.ts'
import { end, firstLine, spawnProgram } from './child.ts'

const path = '/2015-03-31/event-source-mappings'
const perFunction = 10
const warmCalls = 200

const { values } = parseArgs({
  options: { mappings: { type: 'string', default: '10000' }, calls: { type: 'string', default: '2000' } }
})
const [count, calls] = [Number(values.mappings), Number(values.calls)]

const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-store-'))
try {
  const empty = await timedStart(join(folder, 'empty'), async () => undefined)
  console.log(`start with an empty store: ${seconds(empty)} s`)
  const dataDir = join(folder, 'full')
  // The first start makes the folder and the key.
  await timedStart(dataDir, async () => undefined)
  const began = performance.now()
  const uuids = await fill(join(dataDir, 'millrace.db'))
  console.log(`filled with ${count} mappings: ${seconds(performance.now() - began)} s`)
  const full = await timedStart(dataDir, async api => measure(api, dataDir, uuids))
  console.log(`start with ${count} mappings: ${seconds(full)} s`)
} finally {
  await rm(folder, { recursive: true, force: true })
}

/** Milliseconds until the server says where it serves; it lives as long as `use` runs. */
async function timedStart(dataDir: string, use: (api: URL) => Promise<void>): Promise<number> {
  const began = performance.now()
  const anywhere = '127.0.0.1:0'
  const flags = { '--data-dir': dataDir, '--log-level': 'warn', '--listen': anywhere, '--admin-listen': anywhere }
  const server = spawnProgram(['serve', ...Object.entries(flags).flat()])
  try {
    const { api } = JSON.parse(await firstLine(server)) as { api: string }
    const took = performance.now() - began
    await use(new URL(api))
    return took
  } finally {
    await end(server, 'SIGTERM')
  }
}

async function fill(file: string): Promise<string[]> {
  await using store = openSqliteStore(file)
  const uuids = Array.from({ length: count }, () => randomUUID() as string)
  for (const [at, uuid] of uuids.entries()) {
    await store.insert(aMapping(uuid, at), {
      who: 'bench',
      operation: 'CreateEventSourceMapping20150331',
      atMs: Date.now()
    })
  }
  return uuids
}

function aMapping(uuid: string, at: number): Mapping {
  const functionName = `function-${Math.floor(at / perFunction)}`
  return {
    uuid,
    version: 1,
    specVersion: 1,
    spec: {
      functionArn: `arn:aws:lambda:us-east-1:000000000000:function:${functionName}`,
      functionName,
      source: { kind: 'self-managed', bootstrapServers: ['kafka-1:9092', 'kafka-2:9092', 'kafka-3:9092'] },
      topic: `topic-${at}`,
      consumerGroupId: uuid,
      startingPosition: { kind: 'TRIM_HORIZON' },
      batchSize: 100,
      enabled: false,
      tags: { team: 'shop', cost: `c-${at % 7}` }
    },
    state: 'Disabled',
    stateTransitionReason: 'USER_INITIATED',
    lastProcessingResult: 'No records processed',
    lastModifiedMs: Date.now()
  }
}

async function measure(api: URL, dataDir: string, uuids: readonly string[]): Promise<void> {
  const credentials = JSON.parse(await readFile(join(dataDir, 'credentials.json'), 'utf8')) as {
    accessKeyId: string
    secretAccessKey: string
  }
  const sdk = new LambdaClient({ endpoint: api.href, region: 'us-east-1', credentials })
  const signer = await sdk.config.signer()
  const client = new Client(api.origin)
  /** The answer, and how long it took in milliseconds. */
  const timed = async (path: string, query: Record<string, string> = {}) => {
    const { headers } = await signer.sign({
      method: 'GET',
      protocol: api.protocol,
      hostname: api.hostname,
      path,
      query,
      headers: { host: api.host }
    })
    const began = performance.now()
    const answer = await client.request({ method: 'GET', path, query, headers })
    const body = await answer.body.text()
    const ms = performance.now() - began
    if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}: ${body}`)
    return { body, ms }
  }

  const gets: number[] = []
  for (let call = 0; call < warmCalls + calls; call++) {
    gets.push((await timed(`${path}/${uuids[(call * 7919) % uuids.length]}`)).ms)
  }
  console.log(told('Get', gets.slice(warmCalls)))

  const pages: number[] = []
  while (pages.length < calls / 2) {
    let marker: string | undefined
    do {
      const { body, ms } = await timed(path, marker === undefined ? {} : { Marker: marker })
      pages.push(ms)
      marker = (JSON.parse(body) as { NextMarker?: string }).NextMarker
    } while (marker !== undefined)
  }
  console.log(told('List, pages of 100', pages))

  const filtered: number[] = []
  for (let call = 0; call < calls / 2; call++) {
    const FunctionName = `function-${call % Math.ceil(count / perFunction)}`
    filtered.push((await timed(path, { FunctionName })).ms)
  }
  console.log(told(`List of one function's ${perFunction}`, filtered))
  await client.close()
  sdk.destroy()
}

function told(what: string, times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2)
  return `${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms (${times.length} calls)`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2)
}
