import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { InvokeReply } from '../../src/core/retry/reply.ts'
import { decodeProgress } from '../../src/core/offsets/metadata.ts'
import { blockOf, plainBlock } from '../support/blocks.ts'
import { settled } from '../support/fake-clock.ts'
import { batchSplit, type SplitMessage } from '../../src/poller/channels.ts'
import { boom, type Call, ok } from '../support/fake-invoker.ts'
import { partitionOwners } from '../support/partition-owners.ts'

describe('retries end (reference 7.1, 5.3)', () => {
  test('two retries are three calls, then one document; what follows goes on', async () => {
    const { own, clock, destination, offsets, counts, live, committed } = partitionOwners({ maximumRetryAttempts: 2 })
    const owner = own(({ event }) => (event.records['orders-0']![0]!.offset === 0 ? boom : ok))
    await owner.fetch(12)
    await clock.advance(60_000)
    assert.deepEqual(
      offsets().slice(0, 3),
      Array.from({ length: 3 }, () => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    )
    assert.deepEqual(offsets().slice(3), [[10, 11]])
    assert.equal(destination.bodies.length, 1)
    assert.deepEqual(destination.bodies[0]!.requestContext, {
      requestId: 'request-3',
      functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:orders',
      condition: 'RetryAttemptsExhausted',
      approximateInvokeCount: 3
    })
    await owner.leave()
    assert.deepEqual(committed(), { topic: 'orders', partition: 0, offset: 12 })
    assert.equal(live.blocks, 0)
    assert.deepEqual(counts, {
      PolledEventCount: 12,
      InvokedEventCount: 32,
      FailedInvokeEventCount: 30,
      InvokeErrorCount: 3,
      OnFailureDestinationDeliveredEventCount: 10,
      CommittedEventCount: 12
    })
  })

  test('without a destination the records are dropped, and counted', async () => {
    const { own, clock, offsets, counts } = partitionOwners({ maximumRetryAttempts: 0 }, false)
    const owner = own(() => boom)
    await owner.fetch(3)
    await clock.advance(2_000)
    await owner.leave()
    assert.equal(offsets().length, 1)
    assert.equal(counts['DroppedEventCount'], 3)
  })

  test('retries for ever with a destination are eleven calls', async () => {
    const { own, clock, destination, offsets } = partitionOwners({})
    const owner = own(() => boom)
    await owner.fetch(1)
    await clock.advance(600_000)
    assert.equal(offsets().length, 11)
    assert.equal(destination.bodies.length, 1)
    await owner.leave()
  })

  test('throttles spend none of them', async () => {
    const { own, clock, destination, offsets } = partitionOwners({ maximumRetryAttempts: 0 })
    let busy = 30
    const owner = own(() => (busy-- > 0 ? { kind: 'throttled', message: 'busy' } : ok))
    await owner.fetch(1)
    await clock.advance(600_000)
    assert.equal(offsets().length, 31)
    assert.equal(destination.bodies.length, 0)
    await owner.leave()
  })
})

describe('owners change while a batch is tried again (promises 4 and 5)', () => {
  test('five retries are six calls of the same records, whoever makes them, then one document', async () => {
    const { own, clock, destination, offsets, committed } = partitionOwners({ maximumRetryAttempts: 5, batchSize: 4 })
    for (let owner = 0; owner < 3; owner++) {
      const { fetch, leave } = own(() => boom)
      await fetch(10)
      // Two calls each: the first at once, the second within its pause of half a second.
      await clock.advance(owner === 0 ? 250 : 0)
      for (let calls = offsets().length; calls < 2 * owner + 2 && calls < 6; calls = offsets().length)
        await clock.advance(10_000)
      await leave()
    }
    assert.deepEqual(
      offsets().slice(0, 6),
      Array.from({ length: 6 }, () => [0, 1, 2, 3])
    )
    const first = destination.bodies.filter(({ payload }) => JSON.stringify(payload).includes('\\"offset\\":0,'))
    assert.equal(first.length, 1)
    assert.equal(first[0]!.requestContext['approximateInvokeCount'], 6)
    assert.ok(committed()!.offset >= 4)
  })

  test('a half that succeeded does not come again', async () => {
    const { own, clock, offsets, committed, destination } = partitionOwners({
      bisectBatchOnFunctionError: true,
      maximumRetryAttempts: 3
    })
    const poison = ({ event }: Call) => (event.records['orders-0']!.some(({ offset }) => offset === 2) ? boom : ok)
    const one = own(poison)
    await one.fetch(8)
    assert.deepEqual(offsets(), [[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3], [0, 1], [2, 3], [2]])
    await one.leave()
    assert.equal(committed()!.offset, 2)
    const two = own(poison)
    await two.fetch(8)
    await clock.advance(600_000)
    await two.leave()
    assert.deepEqual(offsets().slice(5), [[2], [2], [2], [3], [4, 5, 6, 7]])
    assert.equal(destination.bodies.length, 1)
    assert.equal(committed()!.offset, 8)
  })

  test('only what failed comes again, and what was done above it does not', async () => {
    const { own, clock, offsets, committed } = partitionOwners({ functionResponseTypes: ['ReportBatchItemFailures'] })
    const reporting = (...failed: number[]): InvokeReply => ({
      kind: 'returned',
      payload: Buffer.from(
        JSON.stringify({
          batchItemFailures: failed.map(offset => ({ itemIdentifier: { partition: 'orders-0', offset } }))
        })
      )
    })
    const one = own(() => reporting(2, 5))
    await one.fetch(10)
    await one.leave()
    assert.equal(committed()!.offset, 2)
    const two = own(({ event }) =>
      reporting(...event.records['orders-0']!.map(({ offset }) => offset).filter(offset => offset === 5))
    )
    await two.fetch(10)
    await two.leave()
    assert.equal(committed()!.offset, 5)
    const three = own(() => ok)
    await three.fetch(12)
    await clock.advance(2_000)
    await three.leave()
    assert.deepEqual(offsets(), [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [2, 5], [5], [10, 11]])
    assert.equal(committed()!.offset, 12)
  })

  test('what a destination did not take yet is given to it by the next owner, as the same failure, without a call', async () => {
    const { own, clock, destination, offsets, results, committed, counts } = partitionOwners({
      maximumRetryAttempts: 0
    })
    destination.down = true
    const one = own(() => boom)
    await one.fetch(3)
    await clock.advance(45_000)
    assert.ok(destination.refusals > 3)
    assert.match(
      results.at(-1)!,
      /^PROBLEM: The on-failure destination did not take the records\. Details: file:failures\.jsonl: queue is not reachable/
    )
    await one.leave()
    assert.equal(committed()!.offset, 0)
    destination.down = false
    const two = own(() => boom)
    await two.fetch(3)
    await clock.advance(2_000)
    await two.leave()
    assert.equal(offsets().length, 1)
    assert.equal(destination.bodies[0]!.requestContext['requestId'], 'request-1')
    assert.equal(committed()!.offset, 3)
    assert.equal(counts['OnFailureDestinationDeliveryErrorCount'], destination.refusals)
  })
})

test('a split is told with the offsets that are split', async t => {
  const told: SplitMessage[] = []
  const listen = (message: unknown) => void told.push(message as SplitMessage)
  batchSplit.subscribe(listen)
  t.after(() => batchSplit.unsubscribe(listen))
  const { own } = partitionOwners({ bisectBatchOnFunctionError: true, maximumRetryAttempts: 0 })
  const owner = own(({ event }) => (event.records['orders-0']!.some(({ offset }) => offset === 3) ? boom : ok))
  await owner.fetch(4)
  await owner.leave()
  assert.deepEqual(
    told.map(({ records, partitions, cause }) => [records, partitions[0]!.first, partitions[0]!.last, cause]),
    [
      [4, 0, 3, 'bisect'],
      [2, 2, 3, 'bisect']
    ]
  )
})

describe('records grow too old (reference 7.1)', () => {
  test('before their first call, between younger ones, which are delivered', async () => {
    const { own, clock, destination, offsets } = partitionOwners({ maximumRecordAgeSeconds: 60 })
    const now = clock.now()
    const owner = own(() => ok)
    await owner.fetch(3, offset => ({ timestamp: offset === 1 ? now - 60_001 : now }))
    assert.deepEqual(offsets(), [[0, 2]])
    assert.equal(destination.bodies[0]!.requestContext['condition'], 'RecordAgeExceeded')
    assert.equal(destination.bodies[0]!.requestContext['approximateInvokeCount'], 1)
    assert.equal('responseContext' in destination.bodies[0]!, false)
    await owner.leave()
  })

  test('while they wait for their retry: not a call after the limit, nor a wait beyond it', async () => {
    const { own, clock, destination, calls, committed } = partitionOwners({
      maximumRecordAgeSeconds: 60,
      maximumRetryAttempts: 100
    })
    const now = clock.now()
    const owner = own(() => boom)
    await owner.fetch(1, () => ({ timestamp: now }))
    await clock.advance(60_000)
    const before = calls.length
    assert.equal(destination.bodies.length, 0)
    await clock.advance(1)
    assert.equal(destination.bodies.length, 1)
    assert.equal(calls.length, before)
    await owner.leave()
    assert.equal(committed()!.offset, 1)
  })
})

describe('what was too old, between younger records', () => {
  test('is not told of once more by the next owner, although the younger ones still wait', async () => {
    const { own, clock, destination, offsets, committed } = partitionOwners({ maximumRecordAgeSeconds: 60 })
    const timestamps = (offset: number) => ({ timestamp: clock.now() - (offset === 1 ? 60_001 : 0) })
    const one = own(() => ({ kind: 'throttled', message: 'busy' }))
    await one.fetch(3, timestamps)
    await one.leave()
    assert.equal(committed()!.offset, 0)
    const two = own(() => ok)
    await two.fetch(3, timestamps)
    await two.leave()
    assert.equal(destination.bodies.length, 1)
    assert.deepEqual(offsets(), [
      [0, 2],
      [0, 2]
    ])
    assert.equal(committed()!.offset, 3)
  })

  test('fits into the commit however far apart its records are: a batch takes no more than that', async () => {
    const { own, clock, committed, counts } = partitionOwners({ maximumRecordAgeSeconds: 60, batchSize: 10_000 }, false)
    const { consumer, leave } = own(() => ({ kind: 'throttled', message: 'busy' }))
    const records = Array.from({ length: 2_000 }, (_, index) => ({
      offset: index * 100_000,
      timestamp: clock.now() - (index % 2 === 0 ? 0 : 60_001)
    }))
    consumer.listener.fetched(blockOf(records))
    await settled()
    await leave()
    assert.ok(counts['DroppedEventCount']! > 100)
    assert.equal(committed()!.offset, 0)
    const progress = decodeProgress(committed()!.metadata, 0)
    assert.equal(progress?.done.length, counts['DroppedEventCount'])
  })

  test('holds no other partition while the destination does not take it', async () => {
    const { own, clock, destination, offsets } = partitionOwners({ maximumRecordAgeSeconds: 60, windowSeconds: 1 })
    destination.down = true
    const { consumer, fetch, leave } = own(() => ok)
    await fetch(2, () => ({ timestamp: clock.now() - 60_001 }))
    consumer.assign('orders', [1])
    consumer.listener.fetched(blockOf([{ offset: 7, timestamp: clock.now() }], { partition: 1 }))
    await clock.advance(1_000)
    assert.ok(destination.refusals > 0)
    assert.deepEqual(offsets(), [[7]])
    await leave()
  })
})

describe('the log is cut while a batch is tried again', () => {
  const start = { topic: 'orders', partition: 0 }

  test('what was above is not told to the next owner, who takes batches as large as any', async () => {
    const { own, clock, offsets, committed } = partitionOwners({ batchSize: 2 })
    const one = own(({ event }) => {
      if (event.records['orders-0']![0]!.offset < 6) return ok
      // Before the answer to the second try.
      if (offsets().length === 5) one.consumer.listener.jumped(start, 8, 0)
      return boom
    })
    await one.fetch(8)
    await clock.advance(2_000)
    assert.deepEqual(offsets().slice(3), [
      [6, 7],
      [6, 7]
    ])
    await one.leave()
    const two = own(() => ok)
    await two.fetch(8)
    await clock.advance(2_000)
    await two.leave()
    assert.deepEqual(offsets().slice(5), [
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7]
    ])
    assert.equal(committed()!.offset, 8)
  })

  test('between two owners: what is left of it goes out without the rest, which does not come', async () => {
    const { own, clock, offsets, committed } = partitionOwners({ functionResponseTypes: ['ReportBatchItemFailures'] })
    const failed = [0, 1, 3].map(offset => ({ itemIdentifier: { partition: 'orders-0', offset } }))
    const one = own(() => ({ kind: 'returned', payload: Buffer.from(JSON.stringify({ batchItemFailures: failed })) }))
    await one.fetch(5)
    await one.leave()
    assert.equal(committed()!.offset, 0)
    const two = own(() => ok)
    await two.fetch(2)
    await clock.advance(59_000)
    assert.equal(offsets().length, 1, 'the rest may be on its way')
    await clock.advance(61_000)
    assert.deepEqual(offsets().slice(1), [[0, 1]])
    two.consumer.listener.fetched(plainBlock(2, 3))
    await settled()
    assert.deepEqual(offsets().slice(2), [[2, 3, 4]], 'what comes there is another log')
    await clock.advance(1_000)
    await two.leave()
    assert.equal(committed()!.offset, 5)
  })

  test('between two owners, and has grown again: a newer leader wrote what comes, which nobody has had', async () => {
    const { own, clock, offsets, committed } = partitionOwners({ functionResponseTypes: ['ReportBatchItemFailures'] })
    const failed = [0, 1, 3].map(offset => ({ itemIdentifier: { partition: 'orders-0', offset } }))
    const one = own(() => ({ kind: 'returned', payload: Buffer.from(JSON.stringify({ batchItemFailures: failed })) }))
    await one.fetch(5)
    await one.leave()
    const two = own(() => ok)
    await two.fetch(2)
    two.consumer.listener.fetched(plainBlock(2, 4, { leaderEpoch: 1 }))
    await clock.advance(1_000)
    assert.deepEqual(offsets().slice(1).flat(), [0, 1, 2, 3, 4, 5], '2 and 4 were finished as other records')
    await two.leave()
    assert.equal(committed()!.offset, 6)
  })

  test('a newer leader alone says nothing: what was finished before stays finished', async () => {
    const { own, clock, offsets, committed } = partitionOwners({ functionResponseTypes: ['ReportBatchItemFailures'] })
    const failed = [0, 4].map(offset => ({ itemIdentifier: { partition: 'orders-0', offset } }))
    const one = own(() => ({ kind: 'returned', payload: Buffer.from(JSON.stringify({ batchItemFailures: failed })) }))
    one.consumer.listener.fetched(plainBlock(0, 3))
    one.consumer.listener.fetched(plainBlock(3, 2, { leaderEpoch: 1 }))
    await settled()
    assert.deepEqual(offsets(), [[0, 1, 2, 3, 4]])
    await one.leave()
    const two = own(() => ok)
    two.consumer.listener.fetched(plainBlock(0, 3))
    two.consumer.listener.fetched(plainBlock(3, 2, { leaderEpoch: 1 }))
    two.consumer.listener.fetched(plainBlock(5, 1, { leaderEpoch: 2 }))
    await clock.advance(1_000)
    assert.deepEqual(offsets().slice(1).flat(), [0, 4, 5])
    await two.leave()
    assert.equal(committed()!.offset, 6)
  })

  test('what comes instead does not wait for the pause before the next try', async () => {
    const { own, offsets } = partitionOwners({})
    const owner = own(() =>
      offsets().length === 1 ? { kind: 'throttled', message: 'busy', retryAfterMs: 10_000 } : ok
    )
    await owner.fetch(2)
    owner.consumer.listener.jumped(start, 2, 0)
    await owner.fetch(1)
    assert.deepEqual(offsets(), [[0, 1], [0]])
    await owner.leave()
  })
})

test('a record that no event can hold goes to the destination (reference 3.6)', async () => {
  const { own, destination, offsets } = partitionOwners({})
  const owner = own(({ bytes }) => (bytes > 100 ? { kind: 'too-large', message: '413' } : ok))
  await owner.fetch(2)
  assert.deepEqual(offsets(), [[0, 1], [0], [1]])
  assert.deepEqual(
    destination.bodies.map(({ requestContext }) => requestContext['condition']),
    ['MaximumPayloadSizeExceeded', 'MaximumPayloadSizeExceeded']
  )
  await owner.leave()
})
