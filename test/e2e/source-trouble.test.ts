import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { mappingWhen, type MappingApi } from '../support/mapping-api.ts'
import { assertExactlyOnce } from '../support/written-topic.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const saying = (api: MappingApi, UUID: string, pattern: RegExp) =>
  mappingWhen(api, UUID, String(pattern), ({ LastProcessingResult }) => pattern.test(LastProcessingResult ?? ''))

const ok = /^OK$/

suite('trouble at the source', { concurrency: 3 }, () => {
  test('a broker that goes away and comes back: the mapping says so, then goes on without loss', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 2)
    await topic.write(10)
    const millrace = await world.serve()
    const uuid = await world.map(millrace, topic.name)
    const api = await world.api(millrace)
    await world.succeeded(topic.total)
    await world.broker.stop()
    const { State, LastProcessingResult } = await saying(api, uuid, /^PROBLEM: Connection error\./)
    assert.equal(State, 'Enabled')
    assert.ok(LastProcessingResult?.includes(world.broker.bootstrap), LastProcessingResult)
    await world.broker.start()
    await topic.write(10)
    await world.succeeded(topic.total)
    await saying(api, uuid, ok)
    // This broker forgets its members when it stops: what they read before they hear of that comes once more.
    const unexplained = world.audit.violations.filter(violation => !/^(repeat|overlap)/.test(violation))
    assert.deepEqual(unexplained, [])
    for (const [partition, end] of topic.ends) assert.deepEqual(world.audit.missing(topic.name, partition, end), [])
  })

  test('cut connections during work lose and repeat nothing', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 2)
    const millrace = await world.serve()
    await world.map(millrace, topic.name, { BatchSize: 5, MaximumBatchingWindowInSeconds: 0 })
    for (let round = 1; round <= 4; round++) {
      await topic.write(25)
      await world.succeeded(topic.total - 40)
      world.broker.dropConnections()
    }
    await world.succeeded(topic.total)
    assertExactlyOnce(world.function.values(), topic.values())
    world.assertSound(topic)
  })

  test('an unknown topic: the mapping says so, and flows once the topic is there', async t => {
    const world = await EmbeddedWorld.open(t)
    const other = await world.topic('other', 1)
    await other.write(3)
    const millrace = await world.serve()
    const uuid = await world.map(millrace, 'later')
    await world.map(millrace, other.name)
    const api = await world.api(millrace)
    const problem = await saying(api, uuid, /^PROBLEM: The topic does not exist on the cluster\./)
    assert.match(problem.LastProcessingResult ?? '', /later/)
    assert.equal(problem.State, 'Enabled')
    assert.equal(problem.StateTransitionReason, 'ESM_CONFIG_NOT_VALID')
    await world.succeeded(3)
    const topic = await world.topic('later', 2)
    await topic.write(5)
    await world.succeeded(3 + topic.total)
    assert.equal((await saying(api, uuid, ok)).StateTransitionReason, 'USER_INITIATED')
    assertExactlyOnce(world.function.values('later'), topic.values())
    world.assertSound(topic)
  })

  test('no broker when the server starts: the API answers, the mapping says so, and heals', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 2)
    await topic.write(5)
    await world.broker.stop()
    const millrace = await world.serve()
    const uuid = await world.map(millrace, topic.name)
    const api = await world.api(millrace)
    const problem = await saying(api, uuid, /^PROBLEM: Connection error\./)
    assert.ok(problem.LastProcessingResult?.includes(world.broker.bootstrap), problem.LastProcessingResult)
    assert.equal(problem.State, 'Enabled')
    // Again from its data: a server that cannot reach its brokers starts, serves and stops.
    assert.deepEqual(await millrace.stop(), { code: 0, signal: null })
    await millrace.start()
    const again = await world.api(millrace)
    assert.equal((await again.get(uuid)).UUID, uuid)
    await world.broker.start()
    await world.succeeded(topic.total)
    await saying(again, uuid, ok)
    assertExactlyOnce(world.function.values(), topic.values())
    world.assertSound(topic)
  })
})
