import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { BufferPool } from '../../../src/adapters/kafka/buffer-pool.ts'
import { openKafkaConsumer } from '../../../src/adapters/kafka/kafka-consumer.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { at, byText, commitsOnRevoke, embeddedWorld, heartbeatOf, seen, until } from './embedded-world.ts'
import { RecordingListener } from './recording-listener.ts'

for (const groupProtocol of ['classic', 'consumer'] as const)
  suite(`a consumer on the embedded broker, by the group protocol ${groupProtocol}`, () => behaviour(groupProtocol))

function behaviour(groupProtocol: 'classic' | 'consumer'): void {
  const world = (t: TestContext, partitions = 3) => embeddedWorld(t, partitions, groupProtocol)

  test('reads every partition from its start, and hears of records as they are written', async t => {
    const { open, put } = await world(t)
    put(0, 'a', 'b')
    const { listener } = open()
    await seen(listener, 2)
    put(2, 'c')
    await seen(listener, 3)
    assert.deepEqual(
      listener.records.map(({ partition, offset, value }) => [partition, offset, value]),
      [
        [0, 0, 'a'],
        [0, 1, 'b'],
        [2, 0, 'c']
      ]
    )
    assert.deepEqual(listener.events, ['assigned 0,1,2'])
    assert.ok(listener.assignments.every(each => each.fresh && each.startOffset === 0))
  })

  test('commits with metadata, and a restart goes on behind what was committed', async t => {
    const { broker, open, put, owns } = await world(t)
    put(0, 'a', 'b', 'c')
    const first = open()
    await seen(first.listener, 3)
    await first.consumer.commit([at(0, 2, 'done: 0-1')])
    assert.deepEqual(broker.committed('readers', 'orders', 0), {
      offset: 2,
      metadata: 'done: 0-1',
      leaderEpoch: 0
    })
    await first.consumer.stop()
    const second = open()
    await owns(second.listener, 0, 1, 2)
    await seen(second.listener, 1)
    assert.deepEqual(second.listener.values(), ['c'])
    assert.deepEqual(
      second.listener.assignments.map(each => each.fresh),
      [false, false, false]
    )
    assert.equal(second.listener.assignments.find(({ partition }) => partition === 0)?.metadata, 'done: 0-1')
  })

  test('commits the start of a new group, so that LATEST does not move when it restarts', async t => {
    const { broker, open, put, owns } = await world(t, 1)
    put(0, 'before')
    const first = open({ startingPosition: { kind: 'LATEST' } })
    await owns(first.listener, 0)
    assert.equal(broker.committed('readers', 'orders', 0)?.offset, 1)
    await first.consumer.stop()
    put(0, 'between')
    const second = open({ startingPosition: { kind: 'LATEST' } })
    await seen(second.listener, 1)
    assert.deepEqual(second.listener.values(), ['between'])
  })

  test('AT_TIMESTAMP begins at the first record as young, or at the end', async t => {
    const { broker, open, owns } = await world(t, 2)
    broker.append('orders', 0, [
      { value: Buffer.from('old'), timestamp: 1000 },
      { value: Buffer.from('young'), timestamp: 3000 }
    ])
    broker.append('orders', 1, [{ value: Buffer.from('old'), timestamp: 1000 }])
    const { listener } = open({ startingPosition: { kind: 'AT_TIMESTAMP', timestampMs: 2000 } })
    await owns(listener, 0, 1)
    await seen(listener, 1)
    assert.deepEqual(
      listener.assignments.map(({ partition, startOffset }) => `${partition}: ${startOffset}`).toSorted(byText),
      ['0: 1', '1: 1']
    )
    assert.deepEqual(listener.values(), ['young'])
  })

  test('two members share the partitions, hand them over without loss or repetition, and take them back', async t => {
    const { broker, open, put, owns } = await world(t, 4)
    const first = open()
    commitsOnRevoke(first)
    await owns(first.listener, 0, 1, 2, 3)
    for (let partition = 0; partition < 4; partition++) put(partition, `${partition}:0`, `${partition}:1`)
    await seen(first.listener, 8)
    const second = open()
    commitsOnRevoke(second)
    await until(() => first.listener.owned.size === 2 && second.listener.owned.size === 2, 'two partitions each')
    for (let partition = 0; partition < 4; partition++) put(partition, `${partition}:2`)
    await until(() => first.listener.records.length + second.listener.records.length >= 12, 'all records')
    assert.deepEqual(
      [...first.listener.values(), ...second.listener.values()].map(String).sort(byText),
      [0, 1, 2, 3].flatMap(partition => [0, 1, 2].map(index => `${partition}:${index}`))
    )
    await second.consumer.stop()
    await owns(first.listener, 0, 1, 2, 3)
    assert.deepEqual([...first.listener.strays, ...second.listener.strays], [])
    assert.deepEqual(broker.groupState('readers'), { state: 'Stable', members: 1 })
  })

  test('a member that the group has no partition for hears that it takes part', async t => {
    const { open, owns } = await world(t, 1)
    const first = open()
    await owns(first.listener, 0)
    const second = open()
    await until(() => second.listener.events.includes('assigned '), 'the word that it takes part')
    await owns(first.listener, 0)
  })

  test('gives a partition up only when the listener has finished with it, and stays a member meanwhile', async t => {
    const { open, put, owns } = await world(t, 2)
    const sessionTimeoutMs = 600
    const first = open({ drainMs: 20_000 }, { sessionTimeoutMs })
    await owns(first.listener, 0, 1)
    const drained = Promise.withResolvers<void>()
    first.listener.onRevoked = async () => drained.promise
    const second = open()
    await until(
      () => first.listener.events.includes('revoked 1') || first.listener.events.includes('revoked 0'),
      'revoked'
    )
    put(0, 'x')
    put(1, 'x')
    // What is kept goes on while the other partition drains, and nobody reads that one.
    await seen(first.listener, 1)
    assert.equal(first.listener.records.length, 1)
    const drainingMs = performance.now()
    await until(() => performance.now() - drainingMs > 2 * sessionTimeoutMs, 'two sessions have passed')
    assert.equal(second.listener.assignments.length, 0)
    drained.resolve()
    await seen(second.listener, 1)
    assert.equal(first.listener.records.length, 1)
    assert.deepEqual(first.listener.strays, [])
    assert.deepEqual(
      first.listener.events.filter(event => event.startsWith('lost')),
      []
    )
  })

  test('a commit for a partition that has gone is refused', async t => {
    const { open, owns } = await world(t, 1)
    const { consumer, listener } = open()
    await owns(listener, 0)
    await assert.rejects(consumer.commit([at(5, 1)]), /partition 5 of orders is not assigned/)
    await consumer.stop()
    await assert.rejects(consumer.commit([at(0, 1)]), /stopped/)
  })

  test('commits are tried again through what heals, and refused for what does not', async t => {
    const { broker, open, owns } = await world(t, 1)
    const { consumer, listener } = open()
    await owns(listener, 0)
    broker.answerNext('OffsetCommit', { error: 'COORDINATOR_LOAD_IN_PROGRESS' }, 2)
    await consumer.commit([at(0, 1)])
    broker.answerNext('OffsetCommit', { error: 'REBALANCE_IN_PROGRESS' })
    await consumer.commit([at(0, 2)])
    broker.answerNext('OffsetCommit', { dropConnection: true })
    await consumer.commit([at(0, 3)])
    broker.answerNext('OffsetCommit', { error: 'GROUP_AUTHORIZATION_FAILED' })
    await assert.rejects(consumer.commit([at(0, 4)]), /GROUP_AUTHORIZATION_FAILED/)
    assert.equal(broker.committed('readers', 'orders', 0)?.offset, 3)
  })

  test('an offset is committed although the broker takes no metadata of that length', async t => {
    const { broker, open, owns } = await world(t, 1)
    const { consumer, listener } = open()
    await owns(listener, 0)
    await consumer.commit([{ ...at(0, 1), metadata: 'progress' }])
    assert.equal(broker.committed('readers', 'orders', 0)?.metadata, 'progress')
    await consumer.commit([{ ...at(0, 2), metadata: 'x'.repeat(4_097) }])
    const { offset, metadata } = broker.committed('readers', 'orders', 0)!
    assert.deepEqual([offset, metadata], [2, ''])
  })

  test('a member that the coordinator no longer knows loses everything at once and joins anew', async t => {
    const { broker, open, owns } = await world(t, 2)
    const { listener } = open({}, { sessionTimeoutMs: 600 })
    await owns(listener, 0, 1)
    broker.answerNext(heartbeatOf[groupProtocol], { error: 'UNKNOWN_MEMBER_ID' })
    await until(
      () => listener.events.length >= 3,
      () => listener.events.join('; ')
    )
    assert.deepEqual(listener.events, ['assigned 0,1', 'lost 0,1', 'assigned 0,1'])
  })

  test('a broker that is away for a moment is waited for, and told of', async t => {
    const { broker, open, put, owns } = await world(t, 2)
    const { listener } = open()
    await owns(listener, 0, 1)
    await broker.stop()
    await until(() => listener.problemNow?.kind === 'connection', 'the problem is told')
    assert.match(listener.problemNow?.message ?? '', new RegExp(broker.bootstrap))
    await broker.start()
    put(0, 'after')
    await seen(listener, 1)
    await until(() => listener.problems.length > 0 && listener.problemNow === undefined, 'the problem is over')
    // This broker forgets its members when it stops: what was read before we heard of that comes once more.
    await until(() => listener.events.includes('lost 0,1'), 'lost')
    assert.deepEqual(new Set(listener.values()), new Set(['after']))
  })

  test('cut connections lose and repeat nothing', async t => {
    const { broker, open, put, owns } = await world(t, 2)
    const { listener } = open()
    await owns(listener, 0, 1)
    for (let round = 0; round < 5; round++) {
      put(round % 2, `${round}`)
      broker.dropConnections()
      await seen(listener, round + 1)
    }
    assert.deepEqual(listener.values().map(String).sort(byText), ['0', '1', '2', '3', '4'])
  })

  test('a partition whose records are gone goes on by the policy, and says from where to where', async t => {
    const { broker, open, put } = await world(t, 1)
    put(0, ...Array.from('abcdef'))
    const first = open()
    await seen(first.listener, 6)
    await first.consumer.commit([at(0, 2)])
    await first.consumer.stop()
    broker.deleteRecords('orders', 0, 4)
    const { listener } = open()
    await seen(listener, 1)
    assert.deepEqual(listener.events, ['assigned 0', 'jumped 0 2->4'])
    assert.deepEqual(listener.values(), ['e', 'f'])
  })

  test('a partition that is not wanted is left out until it is resumed, and then comes without delay', async t => {
    const { open, put } = await world(t, 2)
    const listener = new RecordingListener()
    listener.paused.add(0)
    const { consumer } = open({}, { fetchMaxWaitMs: 5000 }, listener)
    put(0, 'held')
    put(1, 'free')
    await seen(listener, 1)
    assert.deepEqual(listener.values(), ['free'])
    listener.paused.delete(0)
    const resumedMs = performance.now()
    consumer.resume()
    await seen(listener, 2)
    assert.ok(performance.now() - resumedMs < 2000, 'it did not wait for the poll of the others')
  })

  test('an unknown topic is a problem that names it, until it exists', async t => {
    const { broker, open, put } = await world(t, 1)
    const { listener } = open({ topic: 'later', startingPosition: { kind: 'LATEST' } })
    await until(() => listener.problemNow?.kind === 'unknown-topic', 'the problem is told')
    assert.match(listener.problemNow?.message ?? '', /later/)
    broker.createTopic('later', { partitions: 1 })
    broker.append('later', 0, [{ value: Buffer.from('first') }])
    await until(() => listener.owned.has(0), 'assigned')
    await until(() => listener.problemNow === undefined, 'the problem is over')
    put(0, 'of another topic')
    assert.equal(listener.assignments[0]?.topic, 'later')
  })

  test('stop is safe before start, twice, and while the broker is gone', async t => {
    const { broker, open, owns } = await world(t, 1)
    const idle = openKafkaConsumer(
      {
        cluster: { bootstrapServers: [broker.bootstrap] },
        topic: 'orders',
        groupId: 'idle',
        clientId: 'test',
        startingPosition: { kind: 'LATEST' },
        drainMs: 1000
      },
      { clock: systemClock, log: new RecordingLog() }
    )
    await idle.stop()
    const { consumer, listener } = open()
    await owns(listener, 0)
    await broker.stop()
    const startedMs = performance.now()
    await Promise.all([consumer.stop(), consumer.stop()])
    assert.ok(performance.now() - startedMs < 5000)
    assert.deepEqual(listener.events, ['assigned 0', 'revoked 0'])
    assert.equal(broker.groupState('readers')?.members, 0)
  })

  test('stopping right after starting leaves nothing behind', async t => {
    const { broker, open } = await world(t, 1)
    for (let turn = 0; turn < 5; turn++) {
      const { consumer, listener } = open()
      await Promise.all([consumer.stop(), consumer.stop()])
      assert.ok(listener.events.every(event => event.startsWith('assigned') || event.startsWith('revoked')))
    }
    await until(() => (broker.groupState('readers')?.members ?? 0) === 0, 'no members')
  })

  test('every pooled buffer is back when all records are finished and the consumer has stopped', async t => {
    const { open, put } = await world(t, 2)
    const pool = new BufferPool(1 << 20)
    for (let i = 0; i < 50; i++) put(i % 2, 'x'.repeat(10_000))
    const { consumer, listener } = open({}, { pool })
    await seen(listener, 50)
    await consumer.stop()
    assert.equal(pool.leases, 0)
    assert.equal(pool.heldBytes, 0)
  })
}
