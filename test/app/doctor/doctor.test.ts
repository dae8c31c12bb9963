import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { stringify } from 'yaml'
import { runCli } from '../../../src/app/cli/program.ts'
import { runDoctor } from '../../../src/app/doctor.ts'
import type { DoctorFlags, DoctorSubject } from '../../../src/app/doctor/flags.ts'
import type { Account } from '../../../src/app/doctor/present.ts'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'
import { openControlWorld, secretAccessKey } from '../../control/control-world.ts'
import { HttpFunction } from '../../support/http-function.ts'
import { RecordingIo } from '../../support/recording-io.ts'

async function brokerWith(t: TestContext, ...topics: string[]): Promise<EmbeddedBroker> {
  const broker = new EmbeddedBroker()
  await broker.start()
  t.after(() => broker.stop())
  for (const topic of topics) broker.createTopic(topic, { partitions: 2 })
  return broker
}

/** A folder with a `millrace.yaml`, and commands run in it. */
async function setup(t: TestContext, config: Record<string, unknown> = {}) {
  const cwd = await mkdtemp(join(tmpdir(), 'millrace-doctor-'))
  t.after(() => rm(cwd, { recursive: true }))
  await writeFile(join(cwd, 'millrace.yaml'), stringify(config))
  const run = async (args: readonly string[], env: Record<string, string> = {}) => {
    const io = new RecordingIo({ cwd, env })
    const code = await runCli(['doctor', ...args], io)
    return { code, out: io.out, err: io.err, account: () => JSON.parse(io.out) as Account }
  }
  return { cwd, run }
}

const resultsOf = ({ steps }: Account) => Object.fromEntries(steps.map(({ step, result }) => [step, result]))

async function blackHole(t: TestContext): Promise<string> {
  const server = createServer(socket => void socket.on('error', () => undefined))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('finds nothing wrong with a cluster, topic, function and destination that are well, and leaves no trace', async t => {
  const broker = await brokerWith(t, 'orders', 'failed')
  broker.append('orders', 0, [{ key: null, value: Buffer.from('CANARY-value') }])
  const fn = await HttpFunction.open()
  t.after(() => fn.close())
  const { run } = await setup(t, { functions: { orders: { http: fn.url } } })
  const commits: unknown[] = []
  broker.onCommit(commit => commits.push(commit))
  const flags = ['--bootstrap', broker.bootstrap, '--topic', 'orders', '--group', 'readers', '--function', 'orders']
  const { code, out, account } = await run([...flags, '--destination', 'kafka://failed'])
  assert.deepEqual([code, account().ok], [0, true], out)
  const results = resultsOf(account())
  for (const step of ['cluster', 'DNS', 'TCP', 'API versions', 'metadata', 'topic', 'record', 'function', 'group join'])
    assert.equal(results[step], 'ok', step)
  assert.match(
    account().steps.find(({ step }) => step === 'record')?.detail ?? '',
    /^partition 0, offset 0, 12 bytes, of 20/
  )
  assert.deepEqual([commits, fn.calls], [[], []], 'nothing was committed or called')
  assert.ok(!out.includes('CANARY'), 'what a record holds is nobody’s business')
})

test('each failure has the one thing to do; what depends on it is skipped; exit 1', async t => {
  const { run } = await setup(t)
  const { code, account } = await run(['--bootstrap', '127.0.0.1:1', '--topic', 'orders', '--function', 'nobody'])
  assert.equal(code, 1)
  const { ok, steps } = account()
  assert.equal(ok, false)
  const failed = steps.filter(({ result }) => result === 'failed')
  assert.deepEqual(
    failed.map(({ step }) => step),
    ['TCP', 'function']
  )
  assert.ok(failed.every(({ advice = '' }) => advice !== ''))
  assert.equal(resultsOf(account())['topic'], 'skipped')
})

test('a topic that does not exist is told, and the rest is looked at all the same', async t => {
  const broker = await brokerWith(t)
  broker.createTopic('other', { partitions: 1 })
  const { run } = await setup(t)
  const { code, account } = await run(['--bootstrap', broker.bootstrap, '--topic', 'no.such/topic'])
  assert.equal(code, 1)
  const results = resultsOf(account())
  assert.deepEqual([results['topic'], results['record'], results['group join']], ['failed', 'skipped', 'ok'])
})

test('secrets are looked into and not shown; one that is not there is named', async t => {
  const broker = await brokerWith(t, 'orders')
  const arn = (name: string) => `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}`
  const { run } = await setup(t, {
    secrets: { [arn('good')]: { environment: 'GOOD' }, [arn('bad')]: { environment: 'BAD' } }
  })
  const at = ['--bootstrap', broker.bootstrap, '--topic', 'orders', '--access']
  const env = { GOOD: '{"username":"CANARY-name","password":"CANARY-password"}' }
  const good = await run([...at, `BASIC_AUTH=${arn('good')}`], env)
  assert.equal(resultsOf(good.account())['secret'], 'ok')
  assert.equal(resultsOf(good.account())['TLS'], 'failed', 'the embedded broker speaks none')
  assert.ok(!`${good.out}${good.err}`.includes('CANARY'))
  const bad = (await run([...at, `BASIC_AUTH=${arn('bad')}`], env))
    .account()
    .steps.find(({ step }) => step === 'secret')
  assert.deepEqual([bad?.result, bad?.about], ['failed', arn('bad')])
})

test('a mapping is examined as the API has it; one that does not exist is exit 3', async t => {
  const broker = await brokerWith(t, 'orders')
  const world = await openControlWorld()
  t.after(() => world[Symbol.asyncDispose]())
  const { run } = await setup(t)
  const env = {
    MILLRACE_ENDPOINT: world.server.url,
    AWS_ACCESS_KEY_ID: 'writer',
    AWS_SECRET_ACCESS_KEY: secretAccessKey
  }
  const io = new RecordingIo({ env })
  await runCli(
    ['mappings', 'create', '--function-name', 'f', '--topic', 'orders', '--bootstrap-servers', broker.bootstrap],
    io
  )
  const { UUID } = JSON.parse(io.out) as { UUID: string }
  const { account } = await run([UUID], env)
  const steps = account().steps
  assert.equal(steps.find(({ step }) => step === 'record')?.result, 'ok')
  assert.equal(steps.find(({ step }) => step === 'ACL Describe')?.about, `group ${UUID}`)
  assert.equal(steps.find(({ step }) => step === 'clock')?.result, 'ok', 'the clock of the API’s machine')
  const absent = await run(['00000000-0000-4000-8000-000000000000'], env)
  assert.deepEqual([absent.code, absent.out], [3, ''])
})

test('ends in bounded time although everything hangs', async t => {
  const hole = await blackHole(t)
  const timing = { apiMs: 300, stepMs: 200, totalMs: 500 }
  const { cwd } = await setup(t, { functions: { slow: { http: `https://${hole}/` } } })
  const examine = async (subject: DoctorSubject, connection: DoctorFlags['connection'] = {}) => {
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_ENDPOINT_URL: `http://${hole}` }
    const io = new RecordingIo({ cwd, env })
    const beganMs = performance.now()
    const code = await runDoctor({ subject, connection, output: 'json' }, io, timing)
    return { code, ms: performance.now() - beganMs, account: JSON.parse(io.out) as Account }
  }
  const cluster = { kind: 'cluster', access: [], tags: {}, topic: 'orders', functionName: 'slow' } as const
  const own = await examine({ ...cluster, cluster: [hole], destination: 'arn:aws:sqs:us-east-1:000000000000:q' })
  assert.equal(own.code, 1)
  assert.ok(own.ms < 5_000, `${own.ms} ms`)
  const results = resultsOf(own.account)
  assert.deepEqual(
    [results['API versions'], results['function'], results['destination']],
    ['failed', 'failed', 'failed']
  )
  const arn = 'arn:aws:kafka:us-east-1:000000000000:cluster/c/11111111-1111-1111-1111-111111111111-1'
  const msk = await examine({ ...cluster, cluster: arn })
  assert.equal(resultsOf(msk.account)['cluster'], 'failed')
  await assert.rejects(examine({ kind: 'mapping', uuid: 'x' }, { endpointUrl: `http://${hole}` }), {
    code: 'MILL_API_UNREACHABLE'
  })
})

test('an interrupt ends it', async t => {
  const hole = await blackHole(t)
  const io = new RecordingIo()
  const subject = { kind: 'cluster', cluster: [hole], access: [], tags: {} } as const
  const running = runDoctor({ subject, connection: {}, output: 'json' }, io)
  io.interrupt()
  assert.deepEqual([await running, io.out], [130, ''])
})

for (const [args, message] of [
  [[], /name the UUID of a mapping, or a cluster/],
  [['x', '--topic', 't'], /a UUID says it all/],
  [['--bootstrap', 'nohost'], /HOST:PORT/],
  [['--bootstrap', 'a:1', '--access', 'BASIC_AUTH=s3cret'], /must be TYPE=ARN of a secret/]
] as const)
  test(`doctor ${args.join(' ')}: exit 2`, async t => {
    const { code, err } = await (await setup(t)).run(args)
    assert.equal(code, 2)
    assert.match(err, message)
  })

test('on a terminal a table, and below it what to do', async t => {
  const { cwd } = await setup(t)
  const io = new RecordingIo({ cwd, columns: 60 })
  assert.equal(await runCli(['doctor', '--bootstrap', '127.0.0.1:1'], io), 1)
  assert.match(io.out, /^STEP +ABOUT +RESULT +TIME +DETAIL$/m)
  assert.match(io.out, /^ {2}Start the broker, or name the port that it listens on\.$/m)
  assert.match(io.err, /looking at TCP 127\.0\.0\.1:1/)
  assert.ok(io.err.endsWith('\r\u001B[K'), 'what was drawn is taken away')
})
