import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { runCli } from '../../src/app/cli/program.ts'
import { RecordingIo } from '../support/recording-io.ts'

test('prints where it listens on stdout, has its topics, and ends cleanly when asked to', async () => {
  const io = new RecordingIo()
  const ended = runCli(['broker', '--listen', '127.0.0.1:0', '--topic', 'orders:4', '--topic', 'payments:1'], io)
  const [, bootstrap] = await io.outMatches(/^(127\.0\.0\.1:\d+)\n$/)
  const admin = new Kafka({ brokers: [bootstrap!], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const { topics } = await admin.fetchTopicMetadata()
  await admin.disconnect()
  assert.deepEqual(Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions.length])), {
    orders: 4,
    payments: 1
  })
  assert.match(io.err, /no durability/)
  io.interrupt()
  assert.equal(await ended, 0)
})

test('--output json says the same to programs', async () => {
  const io = new RecordingIo()
  const ended = runCli(['broker', '--listen', '127.0.0.1:0', '--topic', 'orders:4', '--output', 'json'], io)
  const [line] = await io.outMatches(/^.*\n$/)
  const said = JSON.parse(line) as { bootstrap: string; topics: unknown }
  assert.match(said.bootstrap, /^127\.0\.0\.1:[1-9]\d*$/)
  assert.deepEqual(said.topics, [{ name: 'orders', partitions: 4 }])
  io.interrupt('SIGTERM')
  assert.equal(await ended, 0)
})

test('a port in use is one sentence and exit 1', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const io = new RecordingIo()
  assert.equal(await runCli(['broker', '--listen', `127.0.0.1:${port}`], io), 1)
  assert.equal(io.err, `millrace: Cannot listen on 127.0.0.1:${port} (--listen): the port is in use (MILL_LISTEN)\n`)
  assert.equal(io.out, '')
})

test('the process ends with exit 0 on SIGTERM, with a client still connected', async () => {
  const child = spawn(process.execPath, ['src/app/main.ts', 'broker', '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const exited = once(child, 'exit')
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const client = connect(Number(line.split(':').at(-1)), '127.0.0.1')
  await once(client, 'connect')
  client.on('error', () => undefined)
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
  client.destroy()
})
