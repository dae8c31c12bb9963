import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boom, ok } from '../support/fake-invoker.ts'
import { onePoller } from '../support/one-poller.ts'

test('commits after the function has succeeded, not before', async () => {
  const { consumer, fetch, answer, clock, live } = onePoller()
  consumer.assign('orders', [0])
  await fetch(0, 0, 3)
  await clock.advance(5_000)
  assert.deepEqual(consumer.commits, [])
  await answer(0)
  await clock.advance(1_000)
  assert.deepEqual(consumer.committed, { 0: 3 })
  assert.equal(live.blocks, 0, 'the memory is free again')
})

test('a partition has one batch in flight; others do not wait for it', async () => {
  const { consumer, fetch, invoker, answer } = onePoller()
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 2)
  await fetch(0, 2, 2)
  await fetch(1, 0, 2)
  assert.deepEqual(invoker.sent, [{ 'orders-0': [0, 1] }, { 'orders-1': [0, 1] }])
  await answer(0)
  assert.deepEqual(invoker.sent[2], { 'orders-0': [2, 3] })
})

test('at most ParallelizationFactor batches are in flight', async () => {
  const { consumer, fetch, invoker, answer } = onePoller({ parallelizationFactor: 2 })
  consumer.assign('orders', [0, 1, 2])
  for (const partition of [0, 1, 2]) await fetch(partition, 0, 1)
  assert.equal(invoker.calls.length, 2)
  await answer(1)
  assert.deepEqual(invoker.sent[2], { 'orders-2': [0] })
})

test('a failing batch is tried again with the same records and holds only its partition', async () => {
  const { consumer, fetch, invoker, answer, clock, results } = onePoller()
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 2)
  await answer(0, boom)
  await fetch(1, 0, 1)
  await answer(1)
  await fetch(0, 2, 1)
  await clock.advance(1_000)
  assert.deepEqual(invoker.sent, [{ 'orders-0': [0, 1] }, { 'orders-1': [0] }, { 'orders-0': [0, 1] }])
  assert.deepEqual(consumer.committed, { 0: 0, 1: 1 }, 'of what is tried again the tries, but no offset')
  await answer(2)
  assert.deepEqual(results(), ['PROBLEM: Function call failed. Details: Error: boom', 'OK'])
  assert.deepEqual(invoker.sent[3], { 'orders-0': [2] })
})

test('waits longer after each failure', async () => {
  const { consumer, fetch, invoker, clock } = onePoller()
  invoker.answerAll(() => boom)
  consumer.assign('orders', [0])
  await fetch(0, 0, 1)
  const calls: number[] = []
  for (const ms of [250, 500, 1_000, 2_000]) {
    calls.push(invoker.calls.length)
    await clock.advance(ms - 1)
    assert.equal(invoker.calls.length, calls.at(-1), 'not a moment earlier')
    await clock.advance(1)
  }
  assert.deepEqual(calls, [1, 2, 3, 4])
})

test('a batch mixes partitions within its window, and fails as a whole', async () => {
  const { consumer, fetch, invoker, answer, clock } = onePoller({ windowSeconds: 1 })
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 2)
  await fetch(1, 5, 2)
  await clock.advance(999)
  assert.equal(invoker.calls.length, 0)
  await clock.advance(1)
  assert.deepEqual(invoker.sent, [{ 'orders-0': [0, 1], 'orders-1': [5, 6] }])
  await answer(0, boom)
  await clock.advance(1_000)
  assert.deepEqual(invoker.sent[1], invoker.sent[0])
})

test('a commit that was not taken is sent again with what was settled meanwhile', async () => {
  const { consumer, fetch, invoker, clock } = onePoller()
  invoker.answerAll(() => ok)
  consumer.assign('orders', [0])
  consumer.refuseNext(new Error('coordinator moves'))
  await fetch(0, 0, 2)
  await clock.advance(1_000)
  await fetch(0, 2, 1)
  assert.deepEqual(consumer.commits, [])
  await clock.advance(1_000)
  assert.deepEqual(consumer.committed, { 0: 3 })
})

test('commits are gathered: one a second, and none when nothing was settled', async () => {
  const { consumer, fetch, invoker, clock } = onePoller()
  invoker.answerAll(() => ok)
  consumer.assign('orders', [0, 1])
  for (let offset = 0; offset < 10; offset++) {
    await fetch(0, offset, 1)
    await fetch(1, offset, 1)
    await clock.advance(100)
  }
  await clock.advance(10_000)
  assert.equal(consumer.commits.length, 1)
  assert.deepEqual(consumer.committed, { 0: 10, 1: 10 })
})

test('what holds nothing to deliver is committed past', async () => {
  const { consumer, clock } = onePoller()
  consumer.assign('orders', [0])
  consumer.listener.skipped({ topic: 'orders', partition: 0 }, 8)
  await clock.advance(1_000)
  assert.deepEqual(consumer.committed, { 0: 8 })
})

test('a record that no event can hold is dropped, and the others go on', async () => {
  const { consumer, fetch, invoker, clock } = onePoller()
  invoker.answerAll(() => ok)
  consumer.assign('orders', [0])
  await fetch(0, 0, 1)
  await fetch(0, 1, 1, 5_000_000)
  await fetch(0, 2, 1)
  await clock.advance(1_000)
  assert.deepEqual(invoker.sent, [{ 'orders-0': [0] }, { 'orders-0': [2] }])
  assert.deepEqual(consumer.committed, { 0: 3 })
})

test('a batch that no event can hold is cut; the rest goes next, in order', async () => {
  const { consumer, fetch, invoker, clock } = onePoller({ batchSize: 100 })
  invoker.answerAll(() => ok)
  consumer.assign('orders', [0])
  await fetch(0, 0, 10, 1_500_000)
  await clock.advance(1_000)
  assert.deepEqual(
    invoker.sent.map(sent => sent['orders-0']),
    [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
  )
  assert.ok(invoker.calls.every(({ bytes }) => bytes <= 6_291_456))
})

test('an event that the function finds too large is halved', async () => {
  const { consumer, fetch, invoker, clock } = onePoller()
  invoker.answerAll(({ event }) =>
    event.records['orders-0']!.length > 2 ? { kind: 'too-large', message: 'too much' } : ok
  )
  consumer.assign('orders', [0])
  await fetch(0, 0, 8)
  await clock.advance(1_000)
  const delivered = invoker.sent.map(sent => sent['orders-0']!).filter(offsets => offsets.length <= 2)
  assert.deepEqual(delivered.flat(), [0, 1, 2, 3, 4, 5, 6, 7])
  assert.deepEqual(consumer.committed, { 0: 8 })
})

test('a partition over its share is not fetched until half of it is free, and its records do not wait for the window', async () => {
  const { consumer, fetch, invoker, answer } = onePoller({ windowSeconds: 300, batchSize: 10_000 }, 4 * 1024 * 1024)
  const partition = { topic: 'orders', partition: 0 }
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 500, 1_000)
  assert.equal(consumer.listener.wants(partition), true)
  await fetch(0, 500, 600, 1_000)
  assert.equal(consumer.listener.wants(partition), false)
  assert.equal(invoker.calls.length, 1)
  await answer(0)
  assert.equal(consumer.listener.wants(partition), true)
  assert.equal(consumer.resumes, 1)
})

test('trouble of the source is shown until it is over', async () => {
  const { consumer, results, reports } = onePoller()
  consumer.listener.problem({ kind: 'unknown-topic', message: 'orders on 127.0.0.1:9092' })
  const problem = {
    kind: 'result',
    text: 'PROBLEM: The topic does not exist on the cluster. Details: orders on 127.0.0.1:9092',
    reason: 'ESM_CONFIG_NOT_VALID'
  }
  // In this order: a poller that runs and has told of no problem has none.
  assert.deepEqual(reports, [problem, { kind: 'running' }])
  consumer.listener.problem(undefined)
  consumer.assign('orders', [0])
  assert.deepEqual(results(), [problem.text, 'OK'])
})
