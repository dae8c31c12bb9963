import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../support/fake-clock.ts'
import { boom } from '../support/fake-invoker.ts'
import { onePoller } from '../support/one-poller.ts'

test('batches that wait for their retry hold no place: as many failing partitions as places stop no other', async () => {
  const { consumer, fetch, invoker, answer, clock } = onePoller({ parallelizationFactor: 2 })
  consumer.assign('orders', [0, 1, 2, 3, 4])
  for (const partition of [0, 1, 2, 3]) await fetch(partition, 0, 1)
  await answer(0, boom)
  await answer(1, boom)
  assert.deepEqual(invoker.sent.slice(2), [{ 'orders-2': [0], 'orders-3': [0] }])
  await fetch(4, 0, 1)
  assert.deepEqual(invoker.sent[3], { 'orders-4': [0] })
  await clock.advance(375)
  assert.equal(invoker.calls.length, 4, 'a retry whose time has come waits for a place')
  await fetch(2, 1, 1)
  await answer(2)
  assert.deepEqual(invoker.sent[4], { 'orders-0': [0] }, 'and goes before new batches')
})

test('a partition that leaves while its retry queues for a place is not waited for', async () => {
  const { consumer, fetch, invoker, answer, clock, live } = onePoller({ parallelizationFactor: 1 })
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 1)
  await answer(0, boom)
  await fetch(1, 0, 1)
  await clock.advance(375)
  await consumer.listener.revoked([{ topic: 'orders', partition: 0 }])
  assert.equal(live.blocks, 1)
  await answer(1)
  assert.equal(invoker.calls.length, 2)
  await fetch(1, 1, 1)
  assert.deepEqual(invoker.sent[2], { 'orders-1': [1] }, 'the place is free again')
})

test('a revocation waits for the batch in flight, commits it, and drops what waits', async () => {
  const { consumer, fetch, invoker, answer, live } = onePoller()
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 2)
  await fetch(0, 2, 2)
  const revoked = consumer.listener.revoked([{ topic: 'orders', partition: 0 }])
  await settled()
  assert.deepEqual(consumer.commits, [])
  await answer(0)
  await revoked
  assert.deepEqual(consumer.committed, { 0: 2 })
  assert.equal(invoker.calls.length, 1)
  assert.equal(live.blocks, 0)
  assert.equal(consumer.listener.wants({ topic: 'orders', partition: 0 }), false)
  assert.equal(consumer.listener.wants({ topic: 'orders', partition: 1 }), true)
})

test('an answer after the deadline of a revocation settles nothing', async () => {
  const { consumer, fetch, answer, clock, live } = onePoller()
  consumer.assign('orders', [0])
  await fetch(0, 0, 2)
  const revoked = consumer.listener.revoked([{ topic: 'orders', partition: 0 }])
  await clock.advance(30_000)
  await revoked
  await answer(0)
  await clock.advance(5_000)
  assert.deepEqual(consumer.commits, [])
  assert.equal(live.blocks, 0)
})

test('a lost partition is neither committed nor called for again; the rest of its batch goes on', async () => {
  const { consumer, fetch, invoker, answer, clock } = onePoller({ windowSeconds: 1 })
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 1)
  await fetch(1, 0, 1)
  await clock.advance(1_000)
  await answer(0, boom)
  consumer.listener.lost([{ topic: 'orders', partition: 0 }])
  await clock.advance(1_000)
  assert.deepEqual(invoker.sent[1], { 'orders-1': [0] })
  await answer(1)
  await clock.advance(1_000)
  assert.deepEqual(consumer.committed, { 1: 1 })
})

test('a revocation does not wait for a batch that waits for its retry', async () => {
  const { consumer, fetch, answer, live } = onePoller()
  consumer.assign('orders', [0])
  await fetch(0, 0, 2)
  await answer(0, boom)
  await consumer.listener.revoked([{ topic: 'orders', partition: 0 }])
  assert.deepEqual(consumer.committed, { 0: 0 })
  assert.equal(live.blocks, 0)
})

test('a revocation does not wait for a retry, whose call failed after it began', async () => {
  const { consumer, fetch, answer, invoker, clock, live } = onePoller()
  consumer.assign('orders', [0])
  await fetch(0, 0, 2)
  const revoked = consumer.listener.revoked([{ topic: 'orders', partition: 0 }])
  await answer(0, boom)
  await revoked
  await clock.advance(60_000)
  assert.equal(invoker.calls.length, 1)
  assert.equal(live.blocks, 0)
})

test('a revocation does not wait for a mixed batch that is tried again for the partitions that stay', async () => {
  const { consumer, fetch, answer, invoker, clock } = onePoller({ windowSeconds: 1 })
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 1)
  await fetch(1, 0, 1)
  await clock.advance(1_000)
  const revoked = consumer.listener.revoked([{ topic: 'orders', partition: 0 }])
  await answer(0, boom)
  await revoked
  await clock.advance(1_000)
  assert.deepEqual(invoker.sent[1], { 'orders-1': [0] })
})

test('a partition that was lost leaves no retry behind that holds the place of another batch', async () => {
  const { consumer, fetch, answer, invoker } = onePoller({ parallelizationFactor: 1 })
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 1)
  await fetch(1, 0, 1)
  consumer.listener.lost([{ topic: 'orders', partition: 0 }])
  await answer(0, boom)
  assert.deepEqual(invoker.sent[1], { 'orders-1': [0] })
})

test('a stop does not wait longer than its grace for a rebalance that is under way', async () => {
  const { poller, consumer, fetch, invoker, clock } = onePoller()
  consumer.assign('orders', [0])
  await fetch(0, 0, 2)
  const revoked = consumer.listener.revoked([{ topic: 'orders', partition: 0 }])
  consumer.owned = []
  consumer.stop = () => revoked
  const stopped = poller.stop(1_000)
  await clock.advance(1_000)
  await stopped
  assert.ok(invoker.calls[0]!.request.signal.aborted)
})

test('a stop lets the call in flight end, commits it, and calls nothing new', async () => {
  const { poller, consumer, fetch, invoker, answer } = onePoller()
  consumer.assign('orders', [0])
  await fetch(0, 0, 2)
  await fetch(0, 2, 2)
  const stopped = poller.stop(10_000)
  await settled()
  await answer(0)
  await stopped
  await poller.stop(0)
  assert.deepEqual(consumer.committed, { 0: 2 })
  assert.deepEqual([invoker.calls.length, consumer.stops], [1, 1])
})

test('a stop cuts the call that outlasts the grace, and settles nothing of it', async () => {
  const { poller, consumer, fetch, invoker, clock, live } = onePoller()
  consumer.assign('orders', [0])
  await fetch(0, 0, 2)
  const stopped = poller.stop(5_000)
  await clock.advance(5_000)
  await stopped
  assert.ok(invoker.calls[0]!.request.signal.aborted)
  assert.deepEqual(consumer.commits, [])
  assert.equal(live.blocks, 0)
})

test('calls nothing while it is in doubt whether its partitions are still its own, and goes on when they are', async () => {
  const { consumer, invoker, fetch, answer, clock } = onePoller({ batchSize: 2 })
  consumer.assign('orders', [0])
  await fetch(0, 0, 6)
  consumer.inDoubt = true
  await answer(0)
  await clock.advance(1_000)
  assert.equal(invoker.calls.length, 1)
  consumer.inDoubt = false
  await clock.advance(100)
  assert.equal(invoker.calls.length, 2)
})

test('tries nothing again while it is in doubt whether its partitions are still its own, and lets go what is not', async () => {
  const { consumer, invoker, fetch, answer, clock, live } = onePoller()
  consumer.assign('orders', [0])
  await fetch(0, 0, 2)
  await answer(0, boom)
  consumer.inDoubt = true
  await clock.advance(120_000)
  assert.equal(invoker.calls.length, 1)
  consumer.listener.lost([{ topic: 'orders', partition: 0 }])
  consumer.inDoubt = false
  await clock.advance(120_000)
  assert.equal(invoker.calls.length, 1)
  assert.equal(live.blocks, 0)
})
