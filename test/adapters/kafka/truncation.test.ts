import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { embeddedWorld, seen, at, until } from './embedded-world.ts'

const quickly = { metadataMaxAgeMs: 100 }

suite('a log that is cut by an election (KIP-320)', () => {
  test('while it is read: goes on where the log is still as it was, and is told, however far the log has grown since', async t => {
    const { broker, open, put } = await embeddedWorld(t, 2)
    for (const value of ['a', 'b', 'c', 'd']) put(0, value)
    const { listener } = open({}, quickly)
    await seen(listener, 4)
    broker.elect('orders', 0, 2)
    for (const value of ['C', 'D', 'E', 'F']) put(0, value)
    await seen(listener, 8)
    assert.deepEqual(listener.values(0), ['a', 'b', 'c', 'd', 'C', 'D', 'E', 'F'])
    assert.deepEqual(listener.events, ['assigned 0,1', 'jumped 0 4->2'])
  })

  test('an election that loses nothing moves nothing', async t => {
    const { broker, open, put } = await embeddedWorld(t, 1)
    put(0, 'a', 'b')
    const { listener } = open({}, quickly)
    await seen(listener, 2)
    for (const value of ['c', 'd', 'e']) {
      broker.elect('orders', 0)
      put(0, value)
    }
    await seen(listener, 5)
    assert.deepEqual(listener.values(0), ['a', 'b', 'c', 'd', 'e'])
    assert.deepEqual(listener.events, ['assigned 0'])
  })

  test('while nobody read: the epoch that was committed tells, and what is new is not passed over', async t => {
    const { broker, open, put } = await embeddedWorld(t, 1)
    for (const value of ['a', 'b', 'c']) put(0, value)
    const first = open()
    await seen(first.listener, 3)
    await first.consumer.commit([at(0, 3)])
    await first.consumer.stop()
    assert.deepEqual(broker.committed('readers', 'orders', 0), { offset: 3, metadata: '', leaderEpoch: 0 })
    broker.elect('orders', 0, 1)
    for (const value of ['B', 'C', 'D']) put(0, value)
    const second = open()
    await seen(second.listener, 3)
    assert.deepEqual(second.listener.values(), ['B', 'C', 'D'])
    assert.deepEqual(second.listener.events, ['assigned 0', 'jumped 0 3->1'])
    await second.consumer.commit([at(0, 4)])
    assert.equal(broker.committed('readers', 'orders', 0)?.leaderEpoch, 1)
  })

  test('where two elections cut it, what was read of both is read again from where the logs part', async t => {
    const { broker, open, put } = await embeddedWorld(t, 1)
    put(0, 'a')
    const { listener } = open({}, quickly)
    await seen(listener, 1)
    broker.elect('orders', 0)
    put(0, 'b of epoch 1')
    await seen(listener, 2)
    broker.elect('orders', 0, 1)
    put(0, 'b of epoch 2')
    await seen(listener, 3)
    assert.deepEqual(listener.values(), ['a', 'b of epoch 1', 'b of epoch 2'])
    assert.deepEqual(listener.events, ['assigned 0', 'jumped 0 2->1'])
  })

  test('a refused question about epochs is asked again, and nothing is read before its answer', async t => {
    const { broker, open, put } = await embeddedWorld(t, 1)
    for (const value of ['a', 'b']) put(0, value)
    const { listener } = open({}, quickly)
    await seen(listener, 2)
    broker.answerNext('OffsetForLeaderEpoch', { error: 'OFFSET_NOT_AVAILABLE' }, 2)
    broker.answerNext('OffsetForLeaderEpoch', { dropConnection: true })
    broker.elect('orders', 0, 1)
    for (const value of ['B', 'C']) put(0, value)
    await seen(listener, 4)
    assert.deepEqual(listener.values(), ['a', 'b', 'B', 'C'])
    assert.deepEqual(listener.events, ['assigned 0', 'jumped 0 2->1'])
    await until(() => listener.problemNow === undefined, 'well')
  })

  test('after a reset nobody claims to know the epoch of what comes before', async t => {
    const { broker, open, put } = await embeddedWorld(t, 1)
    put(0, 'a', 'b')
    const { consumer, listener } = open({}, quickly)
    await seen(listener, 2)
    broker.elect('orders', 0)
    put(0, 'c', 'd', 'e')
    put(0, 'f')
    broker.deleteRecords('orders', 0, 5)
    await seen(listener, 3)
    assert.deepEqual(listener.values(), ['a', 'b', 'f'])
    assert.deepEqual(listener.events, ['assigned 0', 'jumped 0 2->5'])
    await consumer.commit([at(0, 5)])
    assert.equal(broker.committed('readers', 'orders', 0)?.leaderEpoch, -1)
  })
})
