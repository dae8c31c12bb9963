import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { runCli } from '../../../src/app/cli/program.ts'
import type { Mapping } from '../../../src/core/mapping/mapping.ts'
import { openControlWorld, secretAccessKey, type ControlWorld } from '../../control/control-world.ts'
import { RecordingIo } from '../../support/recording-io.ts'

/** A server on a store in memory, and `millrace mappings` called with a key that may write. */
async function setup(t: TestContext) {
  const world = await openControlWorld()
  t.after(() => world[Symbol.asyncDispose]())
  const env = keyed(world, 'writer')
  const start = (line: string, overrides: Readonly<Record<string, string>> = {}) => {
    const io = new RecordingIo({ env: { ...env, ...overrides } })
    return { io, done: runCli(['mappings', ...line.split(' ')], io) }
  }
  const run = async (line: string, overrides?: Readonly<Record<string, string>>) => {
    const { io, done } = start(line, overrides)
    return { code: await done, out: io.out, err: io.err }
  }
  const create = async (topic = 'orders'): Promise<string> => {
    const { out, err } = await run(`create --function-name f --topic ${topic} --bootstrap-servers k:1`)
    assert.equal(err, '')
    return (JSON.parse(out) as { UUID: string }).UUID
  }
  return { world, start, run, create }
}

const keyed = ({ server }: ControlWorld, accessKeyId: string) => ({
  MILLRACE_ENDPOINT: server.url,
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey
})

/** What the fleet would do: brings every mapping to where it is going. */
function settleAll(t: TestContext, { store }: ControlWorld): void {
  const author = { who: 'fleet', operation: 'StateTransition', atMs: 0 } as const
  t.after(
    store.watch(uuid => {
      void (async () => {
        const mapping = await store.get(uuid)
        if (mapping === undefined || ['Enabled', 'Disabled'].includes(mapping.state)) return
        if (mapping.state === 'Deleting') await store.remove(uuid, mapping.version, author)
        else await store.update(uuid, mapping.version, { state: mapping.spec.enabled ? 'Enabled' : 'Disabled' }, author)
      })()
    })
  )
}

async function change({ store }: ControlWorld, uuid: string, to: Partial<Pick<Mapping, 'lastProcessingResult'>>) {
  const { version } = (await store.get(uuid))!
  await store.update(uuid, version, to, { who: 'fleet', operation: 'ProcessingResult', atMs: 0 })
}

test('create, get, list, update and delete answer as the API does, as JSON where nobody looks on', async t => {
  const { run, create } = await setup(t)
  const uuid = await create()
  const got = JSON.parse((await run(`get ${uuid}`)).out) as Record<string, unknown>
  assert.deepEqual([got['UUID'], got['Topics'], got['State'], got['BatchSize']], [uuid, ['orders'], 'Creating', 100])
  assert.equal(got['$metadata'], undefined)
  const updated = JSON.parse((await run(`update ${uuid} --batch-size 5`)).out) as Record<string, unknown>
  assert.equal(updated['BatchSize'], 5)
  const { EventSourceMappings } = JSON.parse((await run('list')).out) as { EventSourceMappings: { UUID: string }[] }
  assert.deepEqual(
    EventSourceMappings.map(({ UUID }) => UUID),
    [uuid]
  )
  const deleted = JSON.parse((await run(`delete ${uuid}`)).out) as Record<string, unknown>
  assert.equal(deleted['State'], 'Deleting')
})

test('list goes through all pages, and keeps to its filters', async t => {
  const { run, world, create } = await setup(t)
  for (let at = 0; at < 101; at++) await create(`t${at}`)
  const { out } = await run('list --output text')
  assert.equal(out.trim().split('\n').length, 101)
  assert.equal((await run('list --function-name g --output text')).out, '')
  assert.equal((await world.store.list({}, 1000)).mappings.length, 101)
})

test('text has a line for each mapping with tabs between its fields, a table has them under a head', async t => {
  const { run, create } = await setup(t)
  const uuid = await create()
  const fields = [uuid, 'f', 'orders', 'k:1', 'Creating', 'No records processed']
  assert.equal((await run('list --output text')).out, `${fields.join('\t')}\n`)
  assert.equal((await run(`get ${uuid} --output text`)).out, `${fields.join('\t')}\n`)
  const [head, row] = (await run('list --output table')).out.split('\n')
  assert.match(head!, /^UUID +FUNCTION +TOPIC +SOURCE +STATE +LAST RESULT$/)
  assert.deepEqual(row!.split(/ {2,}/), fields)
  assert.match((await run(`get ${uuid} --output table`)).out, /^Topics +\["orders"\]$/m)
})

test('--wait shows the mapping once it is settled, and ends when it has gone', async t => {
  const { run, world } = await setup(t)
  settleAll(t, world)
  const made = await run('create --function-name f --topic orders --bootstrap-servers k:1 --wait')
  const { UUID, State } = JSON.parse(made.out) as { UUID: string; State: string }
  assert.equal(State, 'Enabled')
  const disabled = await run(`update ${UUID} --disable --wait`)
  assert.equal((JSON.parse(disabled.out) as { State: string }).State, 'Disabled')
  assert.equal((await run(`delete ${UUID} --wait`)).code, 0)
  assert.equal((await run(`get ${UUID}`)).code, 3)
})

test('a signal ends the waiting at once', async t => {
  const { start, world } = await setup(t)
  const created = new Promise(resolve => t.after(world.store.watch(resolve)))
  const { io, done } = start('create --function-name f --topic orders --bootstrap-servers k:1 --wait')
  await created
  io.interrupt()
  assert.equal(await done, 130)
  assert.equal(io.err, '')
})

test('history tells who changed what, from what and to what', async t => {
  const { run, create } = await setup(t)
  const uuid = await create()
  await run(`update ${uuid} --batch-size 5`)
  const { History } = JSON.parse((await run(`history ${uuid}`)).out) as {
    History: { At: string; Who: string; Operation: string; Changes: unknown[] }[]
  }
  assert.deepEqual(
    History.map(({ Who, Operation }) => [Who, Operation]),
    [
      ['writer', 'CreateEventSourceMapping20150331'],
      ['writer', 'UpdateEventSourceMapping20150331']
    ]
  )
  assert.match(History[0]!.At, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  assert.deepEqual(History[1]!.Changes[0], { Field: 'BatchSize', From: 100, To: 5 })
  const { out } = await run(`history ${uuid} --output text`)
  assert.match(out, /\twriter\tUpdateEventSourceMapping20150331\tBatchSize\t100\t5\n/)
})

test('a refusal shows AWS’s exception, the message and our code, and sets the exit code', async t => {
  const { run, world } = await setup(t)
  const missing = await run('get 00000000-0000-0000-0000-000000000000')
  assert.deepEqual(missing, {
    code: 3,
    out: '',
    err: 'millrace: ResourceNotFoundException: The resource you requested does not exist. (MILL_MAPPING_NOT_FOUND)\n'
  })
  const noHistory = await run('history 00000000-0000-0000-0000-000000000000')
  assert.deepEqual([noHistory.code, noHistory.err], [3, missing.err])
  const wrong = await run('create --function-name nobody --topic orders --bootstrap-servers k:1')
  assert.equal(wrong.code, 1)
  assert.match(wrong.err, /^millrace: InvalidParameterValueException: .*\(MILL_FUNCTION_NOT_FOUND\)\n$/)
  const reader = await run('create --function-name f --topic orders --bootstrap-servers k:1', keyed(world, 'reader'))
  assert.equal(reader.code, 4)
  assert.match(
    reader.err,
    /AccessDeniedException: .*\(signed with access key reader of the environment\) \(MILL_AUTH_DENIED\)\n$/
  )
  const stranger = await run('history x', keyed(world, 'stranger'))
  assert.equal(stranger.code, 4)
  assert.match(stranger.err, /UnrecognizedClientException: .*\(MILL_AUTH_UNKNOWN_KEY\)\n$/)
})

test('no server, no URL and no key are told apart', async t => {
  const { run } = await setup(t)
  const silent = await run('list --endpoint-url http://127.0.0.1:1')
  assert.equal(silent.code, 1)
  assert.match(
    silent.err,
    /No answer from the API at http:\/\/127\.0\.0\.1:1 \(.*ECONNREFUSED.*MILL_API_UNREACHABLE\)\n$/
  )
  assert.match((await run('history x --endpoint-url http://127.0.0.1:1')).err, /MILL_API_UNREACHABLE/)
  const noUrl = await run('list', { MILLRACE_ENDPOINT: 'localhost' })
  assert.equal(noUrl.code, 2)
  assert.match(noUrl.err, /"localhost" \(from environment variable MILLRACE_ENDPOINT\)/)
  const keyless = await run('list', { AWS_ACCESS_KEY_ID: '', HOME: '/nonexistent' })
  assert.equal(keyless.code, 1)
  assert.match(keyless.err, /MILL_CREDENTIALS_MISSING/)
})

test('the key that serve keeps is used when a flag names its directory, or when there is no other', async t => {
  const { run } = await setup(t)
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-key-'))
  t.after(() => rm(dataDir, { recursive: true }))
  await writeFile(join(dataDir, 'credentials.json'), JSON.stringify({ accessKeyId: 'writer', secretAccessKey }))
  assert.equal((await run(`list --data-dir ${dataDir}`, { AWS_ACCESS_KEY_ID: 'stranger' })).code, 0)
  assert.equal((await run('list', { AWS_ACCESS_KEY_ID: '', MILLRACE_DATA_DIR: dataDir })).code, 0)
  assert.equal((await run('list', { AWS_ACCESS_KEY_ID: 'stranger', MILLRACE_DATA_DIR: dataDir })).code, 4)
  const own = { MILLRACE_ACCESS_KEY_ID: 'writer', MILLRACE_SECRET_ACCESS_KEY: secretAccessKey }
  assert.equal((await run('list', { AWS_ACCESS_KEY_ID: 'stranger', ...own })).code, 0)
})

test('watch writes a line for each change, ends by itself when the mapping has gone', async t => {
  const { start, run, world, create } = await setup(t)
  const uuid = await create()
  const { io, done } = start(`watch ${uuid}`)
  await io.outMatches(/"State":"Creating"/)
  await change(world, uuid, { lastProcessingResult: 'OK' })
  await io.outMatches(/"LastProcessingResult":"OK"/)
  settleAll(t, world)
  await run(`delete ${uuid}`)
  assert.equal(await done, 0)
  const lines = io.out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { UUID: string; State: string; LastProcessingResult: string })
  assert.deepEqual(
    lines.map(({ UUID, State, LastProcessingResult }) => [UUID, State, LastProcessingResult]),
    [
      [uuid, 'Creating', 'No records processed'],
      [uuid, 'Creating', 'OK'],
      [uuid, 'Deleted', 'OK']
    ]
  )
})

test('watch of all follows those that come and go until it is interrupted', async t => {
  const { start, run, world, create } = await setup(t)
  settleAll(t, world)
  const first = await create('topic-a')
  const { io, done } = start('watch --output text')
  await io.outMatches(new RegExp(`${first}\tf\ttopic-a\t`))
  const second = await create('topic-b')
  await io.outMatches(new RegExp(`${second}\tf\ttopic-b\t`))
  await run(`delete ${first}`)
  await io.outMatches(new RegExp(`${first}\tf\ttopic-a\tk:1\tDeleted\t`))
  io.interrupt()
  assert.equal(await done, 130)
})

test('watch redraws its table in place on a terminal', async t => {
  const { world, create } = await setup(t)
  const uuid = await create()
  const io = new RecordingIo({ env: keyed(world, 'writer'), columns: 100 })
  const done = runCli(['mappings', 'watch'], io)
  await io.outMatches(/^UUID .*LAST RESULT\n.* Creating +No records processed\n$/)
  const before = io.out.length
  await change(world, uuid, { lastProcessingResult: 'OK' })
  await io.outMatches(/ Creating +OK\n$/)
  assert.ok(io.out.slice(before).startsWith('\u001B[2A\u001B[0JUUID '), 'two lines up, the rest cleared')
  io.interrupt()
  assert.equal(await done, 130)
})

test('watch of a mapping that never was is not found', async t => {
  const { run } = await setup(t)
  assert.equal((await run('watch 00000000-0000-0000-0000-000000000000')).code, 3)
})
