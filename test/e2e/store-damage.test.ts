import assert from 'node:assert/strict'
import { closeSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { returned } from '../support/http-function.ts'
import { inState } from '../support/mapping-api.ts'
import { eventually } from '../support/poll.ts'
import { assertExactlyOnce } from '../support/written-topic.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const group = { SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'shop' } }

/** The last pages of a file become garbage. */
function damage(file: string): void {
  const garbage = Buffer.alloc(8_192, 0x5a)
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, garbage, 0, garbage.length, statSync(file).size - garbage.length)
  closeSync(descriptor)
}

test('the store is damaged under a running server: the API says so, records go on, and what it advises works', async t => {
  const world = await EmbeddedWorld.open(t)
  const topic = await world.topic('orders', 2)
  world.function.script = () => returned
  const millrace = await world.serve()
  const uuid = await world.map(millrace, topic.name, group)
  await inState(await world.api(millrace), uuid, 'Enabled')
  // What was written lies in the file once the server has ended.
  assert.deepEqual(await millrace.stop(), { code: 0, signal: null })
  await millrace.start()
  await topic.write(10)
  await world.succeeded(topic.total)

  const file = join(millrace.dataDir, 'millrace.db')
  damage(file)
  const api = await world.api(millrace)
  const refusal = {
    code: 'ServiceException',
    message:
      /^The mapping store cannot be used: it is damaged \(.+\): stop Millrace and start it again, which says what to do$/
  }
  await assert.rejects(api.get(uuid), refusal)
  await assert.rejects(api.list({}), refusal)
  await assert.rejects(api.update({ UUID: uuid, BatchSize: 7 }), refusal)
  const readiness = await fetch(`${millrace.adminUrl}/readyz`)
  assert.equal(readiness.status, 503)
  assert.match(await readiness.text(), /mapping store cannot be used: it is damaged/)
  await topic.write(10)
  await world.succeeded(topic.total)

  assert.deepEqual(await millrace.stop(), { code: 0, signal: null })
  const ends = [...topic.ends.values()]
  assert.deepEqual([...(await world.kafka.committed('shop', topic.name)).values()], ends)
  await assert.rejects(
    millrace.start(),
    /The store .*millrace\.db is damaged \(.+\): stop Millrace, move the file and those beside it/
  )
  for (const suffix of ['', '-wal', '-shm']) {
    const name = `${file}${suffix}`
    if (statSync(name, { throwIfNoEntry: false }) !== undefined) renameSync(name, `${name}.damaged`)
  }
  await millrace.start()
  await world.map(millrace, topic.name, group)
  await topic.write(10)
  await world.succeeded(topic.total)
  assertExactlyOnce(world.function.values(), topic.values())
  world.assertSound(topic)
})

test('the store is moved away under a running server: the API says so until it is back', async t => {
  const world = await EmbeddedWorld.open(t)
  const topic = await world.topic('orders', 1)
  const millrace = await world.serve()
  const uuid = await world.map(millrace, topic.name)
  const api = await world.api(millrace)
  const before = await inState(api, uuid, 'Enabled')
  const file = join(millrace.dataDir, 'millrace.db')
  renameSync(file, `${file}.away`)
  await assert.rejects(api.get(uuid), {
    code: 'ServiceException',
    message: /millrace\.db was removed or emptied, or another file is in its place: stop Millrace and put back the file/
  })
  await topic.write(5)
  await world.succeeded(5)
  renameSync(`${file}.away`, file)
  const after = await eventually(() => api.get(uuid), { describe: 'the store answers' })
  assert.equal(after.State, before.State)
  await eventually(async () => (await api.get(uuid)).LastProcessingResult === 'OK', {
    describe: 'what was told meanwhile is in the store'
  })
})
