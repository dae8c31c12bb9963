import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boom, ok } from '../support/fake-invoker.ts'
import { onePoller } from '../support/one-poller.ts'

test('a jump forward is committed past', async () => {
  const { consumer, clock } = onePoller()
  consumer.assign('orders', [0], 5)
  consumer.listener.jumped({ topic: 'orders', partition: 0 }, 5, 90)
  await clock.advance(1_000)
  assert.deepEqual(consumer.committed, { 0: 90 })
})

test('after a jump back the old answers settle nothing: their offsets are other records now', async () => {
  const { consumer, fetch, invoker, answer, clock } = onePoller()
  consumer.assign('orders', [0], 5)
  await fetch(0, 5, 3)
  consumer.listener.jumped({ topic: 'orders', partition: 0 }, 8, 4)
  await fetch(0, 4, 3)
  assert.equal(invoker.calls.length, 1, 'a partition has one batch in flight, cut or not')
  await answer(0)
  await clock.advance(1_000)
  assert.deepEqual(consumer.committed, { 0: 4 })
  assert.deepEqual(invoker.sent[1], { 'orders-0': [4, 5, 6] })
  await answer(1)
  await clock.advance(1_000)
  assert.deepEqual(consumer.committed, { 0: 7 })
})

test('after a jump back what waits below it is delivered all the same', async () => {
  const { consumer, fetch, invoker, answer, clock, live } = onePoller({ batchSize: 2 })
  consumer.assign('orders', [0])
  await fetch(0, 0, 2)
  await fetch(0, 2, 4)
  consumer.listener.jumped({ topic: 'orders', partition: 0 }, 6, 3)
  await answer(0)
  await answer(1)
  await clock.advance(1_000)
  assert.deepEqual(invoker.sent, [{ 'orders-0': [0, 1] }, { 'orders-0': [2] }])
  assert.deepEqual(consumer.committed, { 0: 3 })
  assert.equal(live.blocks, 0)
})

test('a commit that is on its way at a jump back to what was committed before is taken back', async () => {
  const { consumer, fetch, invoker, clock } = onePoller()
  invoker.answerAll(() => ok)
  consumer.assign('orders', [0], 3)
  await fetch(0, 3, 2)
  const taken = consumer.holdNext()
  await clock.advance(1_000)
  consumer.listener.jumped({ topic: 'orders', partition: 0 }, 5, 3)
  taken()
  await clock.advance(1_000)
  assert.deepEqual(
    consumer.commits.flat().map(({ offset }) => offset),
    [5, 3]
  )
})

test('what a batch gives back after a jump back is not sent from above it', async () => {
  const { consumer, fetch, invoker, answer, live } = onePoller()
  consumer.assign('orders', [0])
  await fetch(0, 0, 8)
  consumer.listener.jumped({ topic: 'orders', partition: 0 }, 8, 5)
  await answer(0, { kind: 'too-large', message: 'too much' })
  await answer(1)
  await answer(2)
  assert.deepEqual(invoker.sent.slice(1), [{ 'orders-0': [0, 1, 2, 3] }, { 'orders-0': [4] }])
  assert.equal(live.blocks, 0)
})

test('a jump back is committed although nothing new is settled, and although an older commit is taken after it', async () => {
  const { consumer, fetch, invoker, clock } = onePoller()
  invoker.answerAll(() => ok)
  consumer.assign('orders', [0])
  await fetch(0, 0, 5)
  const taken = consumer.holdNext()
  await clock.advance(1_000)
  consumer.listener.jumped({ topic: 'orders', partition: 0 }, 5, 2)
  taken()
  await clock.advance(1_000)
  assert.deepEqual(
    consumer.commits.flat().map(({ offset }) => offset),
    [5, 2]
  )
})

test('a partition that waits behind the half that is being called need not wait for it to leave, nor to go on below a cut', async () => {
  const { consumer, invoker, fetch, answer, clock, live, poller } = onePoller({
    bisectBatchOnFunctionError: true,
    windowSeconds: 1
  })
  consumer.assign('orders', [0, 1, 2])
  await fetch(0, 0, 4)
  await fetch(1, 0, 2)
  await fetch(2, 0, 2)
  await clock.advance(1_000)
  await answer(0, boom)
  assert.deepEqual(invoker.sent[1], { 'orders-0': [0, 1, 2, 3] })
  await consumer.listener.revoked([{ topic: 'orders', partition: 1 }])
  consumer.listener.jumped({ topic: 'orders', partition: 2 }, 2, 0)
  await fetch(2, 0, 1)
  await clock.advance(1_000)
  assert.deepEqual(invoker.sent[2], { 'orders-2': [0] })
  assert.match(consumer.commits.flat().find(({ partition }) => partition === 1)!.metadata!, /^millrace1:/)
  await answer(1)
  await answer(2)
  await poller.stop(0)
  assert.equal(invoker.calls.length, 3)
  assert.deepEqual(consumer.committed, { 0: 4, 1: 0, 2: 1 })
  assert.equal(live.blocks, 0)
})
