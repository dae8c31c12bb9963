import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MappingSpec } from '../../src/core/mapping/mapping.ts'
import { silentLog } from '../../src/adapters/log/silent.ts'
import { EventBuffers } from '../../src/poller/event-buffers.ts'
import { Poller } from '../../src/poller/poller.ts'
import type { PollerReport } from '../../src/ports/poller-host.ts'
import { plainBlock } from '../support/blocks.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { FakeConsumer } from '../support/fake-consumer.ts'
import { boom, FakeInvoker, ok } from '../support/fake-invoker.ts'
import { aSpec } from '../support/mappings.ts'

function setup(overrides: Partial<MappingSpec> = {}, budgetBytes = 64 * 1024 * 1024) {
  const consumer = new FakeConsumer()
  const invoker = new FakeInvoker()
  const clock = new FakeClock()
  const reports: PollerReport[] = []
  const live = { blocks: 0 }
  let requests = 0
  const spec = aSpec({ windowSeconds: 0, ...overrides })
  const poller = new Poller(
    {
      mapping: 'm-1',
      specVersion: 1,
      spec,
      cluster: { bootstrapServers: ['127.0.0.1:9092'] },
      bootstrapServers: '127.0.0.1:9092',
      target: { kind: 'http', url: 'http://127.0.0.1:1/', headers: {}, timeoutMs: 3_000 },
      budgetBytes
    },
    30_000,
    {
      consumer,
      invoker,
      clock,
      log: silentLog,
      buffers: new EventBuffers(),
      report: report => reports.push(report),
      newRequestId: () => `request-${++requests}`
    }
  )
  poller.start()
  return {
    poller,
    consumer,
    invoker,
    clock,
    reports,
    live,
    results: () => reports.flatMap(report => (report.kind === 'result' ? [report.text] : [])),
    async fetch(partition: number, first: number, records: number, valueBytes = 10) {
      live.blocks++
      const block = plainBlock(first, records, { partition, valueBytes, onRelease: () => live.blocks-- })
      consumer.listener.fetched(block)
      await settled()
    },
    async answer(call: number, reply = ok) {
      invoker.calls[call]!.answer(reply)
      await settled()
    }
  }
}

test('commits after the function has succeeded, not before', async () => {
  const { consumer, fetch, answer, clock, live } = setup()
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
  const { consumer, fetch, invoker, answer } = setup()
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 2)
  await fetch(0, 2, 2)
  await fetch(1, 0, 2)
  assert.deepEqual(invoker.sent, [{ 'orders-0': [0, 1] }, { 'orders-1': [0, 1] }])
  await answer(0)
  assert.deepEqual(invoker.sent[2], { 'orders-0': [2, 3] })
})

test('at most ParallelizationFactor batches are in flight', async () => {
  const { consumer, fetch, invoker, answer } = setup({ parallelizationFactor: 2 })
  consumer.assign('orders', [0, 1, 2])
  for (const partition of [0, 1, 2]) await fetch(partition, 0, 1)
  assert.equal(invoker.calls.length, 2)
  await answer(1)
  assert.deepEqual(invoker.sent[2], { 'orders-2': [0] })
})

test('a failing batch is tried again with the same records and holds only its partition', async () => {
  const { consumer, fetch, invoker, answer, clock, results } = setup()
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

test('batches that wait for their retry hold no place: as many failing partitions as places stop no other', async () => {
  const { consumer, fetch, invoker, answer, clock } = setup({ parallelizationFactor: 2 })
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
  const { consumer, fetch, invoker, answer, clock, live } = setup({ parallelizationFactor: 1 })
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

test('waits longer after each failure', async () => {
  const { consumer, fetch, invoker, clock } = setup()
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
  const { consumer, fetch, invoker, answer, clock } = setup({ windowSeconds: 1 })
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

test('a revocation waits for the batch in flight, commits it, and drops what waits', async () => {
  const { consumer, fetch, invoker, answer, live } = setup()
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
  const { consumer, fetch, answer, clock, live } = setup()
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
  const { consumer, fetch, invoker, answer, clock } = setup({ windowSeconds: 1 })
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
  const { consumer, fetch, answer, live } = setup()
  consumer.assign('orders', [0])
  await fetch(0, 0, 2)
  await answer(0, boom)
  await consumer.listener.revoked([{ topic: 'orders', partition: 0 }])
  assert.deepEqual(consumer.committed, { 0: 0 })
  assert.equal(live.blocks, 0)
})

test('a revocation does not wait for a retry, whose call failed after it began', async () => {
  const { consumer, fetch, answer, invoker, clock, live } = setup()
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
  const { consumer, fetch, answer, invoker, clock } = setup({ windowSeconds: 1 })
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
  const { consumer, fetch, answer, invoker } = setup({ parallelizationFactor: 1 })
  consumer.assign('orders', [0, 1])
  await fetch(0, 0, 1)
  await fetch(1, 0, 1)
  consumer.listener.lost([{ topic: 'orders', partition: 0 }])
  await answer(0, boom)
  assert.deepEqual(invoker.sent[1], { 'orders-1': [0] })
})

test('a stop does not wait longer than its grace for a rebalance that is under way', async () => {
  const { poller, consumer, fetch, invoker, clock } = setup()
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
  const { poller, consumer, fetch, invoker, answer } = setup()
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
  const { poller, consumer, fetch, invoker, clock, live } = setup()
  consumer.assign('orders', [0])
  await fetch(0, 0, 2)
  const stopped = poller.stop(5_000)
  await clock.advance(5_000)
  await stopped
  assert.ok(invoker.calls[0]!.request.signal.aborted)
  assert.deepEqual(consumer.commits, [])
  assert.equal(live.blocks, 0)
})

test('a commit that was not taken is sent again with what was settled meanwhile', async () => {
  const { consumer, fetch, invoker, clock } = setup()
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
  const { consumer, fetch, invoker, clock } = setup()
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
  const { consumer, clock } = setup()
  consumer.assign('orders', [0])
  consumer.listener.skipped({ topic: 'orders', partition: 0 }, 8)
  await clock.advance(1_000)
  assert.deepEqual(consumer.committed, { 0: 8 })
})

test('a jump forward is committed past', async () => {
  const { consumer, clock } = setup()
  consumer.assign('orders', [0], 5)
  consumer.listener.jumped({ topic: 'orders', partition: 0 }, 5, 90)
  await clock.advance(1_000)
  assert.deepEqual(consumer.committed, { 0: 90 })
})

test('after a jump back the old answers settle nothing: their offsets are other records now', async () => {
  const { consumer, fetch, invoker, answer, clock } = setup()
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
  const { consumer, fetch, invoker, answer, clock, live } = setup({ batchSize: 2 })
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
  const { consumer, fetch, invoker, clock } = setup()
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
  const { consumer, fetch, invoker, answer, live } = setup()
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
  const { consumer, fetch, invoker, clock } = setup()
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

test('a record that no event can hold is dropped, and the others go on', async () => {
  const { consumer, fetch, invoker, clock } = setup()
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
  const { consumer, fetch, invoker, clock } = setup({ batchSize: 100 })
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
  const { consumer, fetch, invoker, clock } = setup()
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
  const { consumer, fetch, invoker, answer } = setup({ windowSeconds: 300, batchSize: 10_000 }, 4 * 1024 * 1024)
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
  const { consumer, results, reports } = setup()
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

test('a partition that waits behind the half that is being called need not wait for it to leave, nor to go on below a cut', async () => {
  const { consumer, invoker, fetch, answer, clock, live, poller } = setup({
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

test('calls nothing while it is in doubt whether its partitions are still its own, and goes on when they are', async () => {
  const { consumer, invoker, fetch, answer, clock } = setup({ batchSize: 2 })
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
  const { consumer, invoker, fetch, answer, clock, live } = setup()
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
