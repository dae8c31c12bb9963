import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { suite, test } from 'node:test'
import { expel } from '../support/group-admin.ts'
import { type Answer, failed, never, returned } from '../support/http-function.ts'
import { inState, mappingWhen } from '../support/mapping-api.ts'
import { eventually } from '../support/poll.ts'
import { assertExactlyOnce } from '../support/written-topic.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const callMs = 25

suite('a server that ends and starts again', { concurrency: 2 }, () => {
  test('kill -9 during work: no record is lost, and none comes again but what was not committed yet', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 3)
    await topic.write(150)
    world.function.script = () => pause(callMs, returned)
    const millrace = await world.serve()
    const group = await world.map(millrace, topic.name, { BatchSize: 5, MaximumBatchingWindowInSeconds: 0 })
    for (let life = 1; life <= 2; life++) {
      await world.succeeded(life * 100)
      const before = world.function.calls.length
      world.function.script = () => never
      await eventually(() => world.function.calls.length > before, { describe: 'a call is in flight', intervalMs: 1 })
      await millrace.kill()
      world.audit.killed()
      world.function.script = () => pause(callMs, returned)
      await expel(world.kafka.bootstrap, group)
      await millrace.start()
    }
    await world.succeeded(topic.total)
    world.assertSound(topic)
    assert.ok(
      world.function.calls.some(({ state }) => state === 'gone'),
      'calls were cut'
    )
    const api = await world.api(millrace)
    await mappingWhen(api, group, 'OK', mapping => mapping.State === 'Enabled' && mapping.LastProcessingResult === 'OK')
  })

  for (const kind of ['http', 'handler'] as const) {
    test(`SIGTERM during work (${kind}): exit 0, calls in flight end, and nothing is delivered again`, async t => {
      const world = await EmbeddedWorld.open(t)
      const topic = await world.topic('orders', 3)
      await topic.write(100)
      world.function.script = () => pause(callMs, returned)
      const handler = `${resolve('test/fixtures/functions/forwarding')}.handler`
      const local = { handler, concurrency: 3, environment: { FORWARD_TO: world.function.url } }
      const millrace = await world.serve(kind === 'handler' ? { config: { functions: { orders: local } } } : {})
      const group = await world.map(millrace, topic.name, { BatchSize: 5, MaximumBatchingWindowInSeconds: 0 })
      for (let life = 1; life <= 2; life++) {
        await world.succeeded(life * 75)
        const before = world.function.calls.length
        const gate = Promise.withResolvers<Answer>()
        world.function.script = () => gate.promise
        await eventually(() => world.function.calls.length > before, { describe: 'a call is in flight', intervalMs: 1 })
        const stopped = millrace.stop()
        await millrace.logs(/^stopping: /)
        gate.resolve(returned)
        assert.deepEqual(await stopped, { code: 0, signal: null })
        world.function.script = () => pause(callMs, returned)
        const done = [...world.function.values()].map(([partition, values]) => [partition, values.length] as const)
        assert.deepEqual(await world.kafka.committed(group, topic.name), new Map(done.toSorted(([a], [b]) => a - b)))
        await millrace.start()
      }
      await world.succeeded(topic.total)
      assertExactlyOnce(world.function.values(), topic.values())
      world.assertSound(topic)
      assert.deepEqual([...new Set(world.function.calls.map(({ state }) => state))], ['returned'])
      assert.equal((await (await world.api(millrace)).get(group)).State, 'Enabled')
    })
  }

  test('SIGTERM while a batch is tried again: exit 0 at once, and only that batch comes again', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 2)
    await topic.write(20)
    let broken = true
    world.function.script = ({ records }) =>
      broken && records.some(({ partition }) => partition === 1) ? failed : returned
    const millrace = await world.serve()
    const group = await world.map(millrace, topic.name, { BatchSize: 5, MaximumBatchingWindowInSeconds: 0 })
    await world.succeeded(20)
    await millrace.logs(/^function call failed: the batch is tried again$/)
    const startedMs = performance.now()
    assert.deepEqual(await millrace.stop(), { code: 0, signal: null })
    assert.ok(performance.now() - startedMs < 10_000, 'it did not wait for its grace of 30 s')
    assert.deepEqual((await world.kafka.committed(group, topic.name)).get(0), 20)
    broken = false
    await millrace.start()
    await world.succeeded(topic.total)
    assertExactlyOnce(world.function.values(), topic.values())
    world.assertSound(topic)
  })

  test('a mapping that was disabled stays so, and a deleted one is gone', async t => {
    const world = await EmbeddedWorld.open(t)
    const [sleeping, removed] = [await world.topic('sleeping', 1), await world.topic('removed', 1)]
    const millrace = await world.serve()
    const uuids = [
      await world.map(millrace, sleeping.name, { Enabled: false }),
      await world.map(millrace, removed.name)
    ] as const
    const api = await world.api(millrace)
    await inState(api, uuids[0], 'Disabled')
    await inState(api, uuids[1], 'Enabled')
    await api.delete(uuids[1])
    assert.deepEqual(await millrace.stop(), { code: 0, signal: null })
    await sleeping.write(5)
    await millrace.start()
    const after = await world.api(millrace)
    assert.equal((await after.get(uuids[0])).State, 'Disabled')
    await eventually(
      () =>
        after.get(uuids[1]).then(
          () => false,
          error => error.code === 'ResourceNotFoundException'
        ),
      {
        describe: 'the deleted mapping is gone'
      }
    )
    assert.equal(world.function.calls.length, 0)
    await after.update({ UUID: uuids[0], Enabled: true })
    await world.succeeded(5)
    world.assertSound(sleeping)
  })
})

suite('two servers whose mappings share a consumer group', { concurrency: 2 }, () => {
  async function setup(world: EmbeddedWorld) {
    const topic = await world.topic('orders', 4)
    await topic.write(20)
    world.function.script = () => pause(callMs, returned)
    const [one, two] = await Promise.all([world.serve(), world.serve()])
    const group = { ConsumerGroupId: 'shared' }
    const input = { BatchSize: 5, MaximumBatchingWindowInSeconds: 0, SelfManagedKafkaEventSourceConfig: group }
    await world.map(one, topic.name, input)
    await world.succeeded(40)
    const second = await world.map(two, topic.name, input)
    /** Partitions by the mapping that called for them, in the calls from `from` on. */
    const owners = (from: number) => {
      const found = new Map<number, string>()
      for (const { records, headers } of world.function.calls.slice(from))
        for (const { partition } of records) found.set(partition, headers['x-millrace-mapping'] as string)
      return found
    }
    /** Writes to all partitions until they are called for by `count` mappings. */
    const sharedBy = (count: number) =>
      eventually(
        async () => {
          const from = world.function.calls.length
          await topic.write(2)
          await world.succeeded(topic.total)
          return new Set(owners(from).values()).size === count
        },
        { describe: `${count} mappings share the partitions`, timeoutMs: 20_000 }
      )
    return { topic, two, second, sharedBy }
  }

  test('partitions are shared and taken back, nothing is lost and nothing comes twice', async t => {
    const world = await EmbeddedWorld.open(t)
    const { topic, two, sharedBy } = await setup(world)
    await sharedBy(2)
    assert.deepEqual(world.broker.groupState('shared'), { state: 'Stable', members: 2 })
    await topic.write(20)
    assert.deepEqual(await two.stop(), { code: 0, signal: null })
    await sharedBy(1)
    world.assertSound(topic)
    assert.equal(world.audit.repeats, 0)
  })

  test('one is killed: the other goes on with all partitions, and nothing is lost', async t => {
    const world = await EmbeddedWorld.open(t)
    const { topic, two, second, sharedBy } = await setup(world)
    await sharedBy(2)
    await topic.write(20)
    const from = world.function.calls.length
    await eventually(
      () => world.function.calls.slice(from).some(({ headers }) => headers['x-millrace-mapping'] === second),
      { describe: 'the second server is at work', intervalMs: 1 }
    )
    await two.kill()
    world.audit.killed(second)
    await expel(world.kafka.bootstrap, 'shared', clientId => clientId.includes(second))
    await sharedBy(1)
    world.assertSound(topic)
  })
})
