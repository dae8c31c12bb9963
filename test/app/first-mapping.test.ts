import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { CreateEventSourceMappingCommand, LambdaClient } from '@aws-sdk/client-lambda'

const example = 'examples/first-mapping'
type Child = ChildProcessByStdio<null, Readable, Readable>

/** Starts a millrace command that ends with the test. */
function start(t: TestContext, ...args: string[]): Child {
  const child = spawn(process.execPath, ['src/app/main.ts', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  return child
}

/** The first line that `pick` makes something of. */
async function lineOf<T>(stream: Readable, pick: (line: string) => T | undefined): Promise<T> {
  const lines: string[] = []
  for await (const line of createInterface(stream)) {
    lines.push(line)
    const picked = pick(line)
    if (picked !== undefined) return picked
  }
  throw new Error(`the stream ended after:\n${lines.join('\n')}`)
}

test('the steps of the README lead to records in the function', { timeout: 60_000 }, async t => {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-first-'))
  t.after(() => rm(dataDir, { recursive: true, force: true }))

  const broker = start(t, 'broker', '--listen', '127.0.0.1:0', '--topic', 'orders:4')
  const bootstrap = await lineOf(broker.stdout, line => line)

  const config = ['--config', `${example}/millrace.yaml`, '--data-dir', dataDir]
  const server = start(t, 'serve', ...config, '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0')
  const { api } = await lineOf(server.stdout, line => JSON.parse(line) as { api: string })

  const client = new LambdaClient({
    endpoint: api,
    region: 'us-east-1',
    credentials: { accessKeyId: 'millrace', secretAccessKey: 'local-only' }
  })
  t.after(() => client.destroy())
  const mapping = await client.send(
    new CreateEventSourceMappingCommand({
      FunctionName: 'orders',
      Topics: ['orders'],
      StartingPosition: 'TRIM_HORIZON',
      SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [bootstrap] } }
    })
  )
  assert.equal(mapping.State, 'Creating')

  const produced = spawnSync(process.execPath, [`${example}/produce.mjs`, 'orders', '10', bootstrap], {
    encoding: 'utf8'
  })
  assert.equal(produced.status, 0, produced.stderr)

  const seen = new Set<number>()
  const all = await lineOf(server.stderr, line => {
    const order = /^orders-\d@\d+ \{"order":(\d+)\}$/.exec((JSON.parse(line) as { message: string }).message)?.[1]
    if (order !== undefined) seen.add(Number(order))
    return seen.size === 10 ? [...seen].sort((one, other) => one - other) : undefined
  })
  assert.deepEqual(
    all,
    Array.from({ length: 10 }, (_, at) => at)
  )
})
