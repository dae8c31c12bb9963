import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Lane } from '../../../src/core/batch/lane.ts'
import { type LaneShare, sharesRecords } from '../../../src/core/batch/shares.ts'
import type { GiveUp } from '../../../src/core/offsets/progress.ts'
import type { Outcome } from '../../../src/core/retry/outcome.ts'
import { isExhausted, plan } from '../../../src/core/retry/plan.ts'
import { retryPolicy, type RetryPolicy } from '../../../src/core/retry/policy.ts'
import { freshItem, msToExpiry, sentRecords, Work, type WorkItem } from '../../../src/core/retry/work.ts'
import { blockOf, plainBlock, wholeSlice } from '../../support/blocks.ts'
import { aSpec } from '../../support/mappings.ts'

const forEver = retryPolicy(aSpec())
const giveUp = (condition: GiveUp['condition']): GiveUp => ({ condition, requestId: 'r' })

/** One share of `records` records from offset 0 on for each partition. */
function shares(...records: number[]): LaneShare[] {
  return records.map((count, partition) => ({
    lane: new Lane('orders', partition),
    slices: [wholeSlice(plainBlock(0, count, { partition }))]
  }))
}

/** `partition/offset` of each record. */
const names = (shares: readonly LaneShare[]): string[] =>
  shares.flatMap(({ lane, slices }) =>
    slices.flatMap(({ block, from, to }) =>
      Array.from(block.offsets.subarray(from, to), offset => `${lane.partition}/${offset}`)
    )
  )

/** Runs work to its end against a function; what became of each record, and the calls that were made. */
function run(work: Work, policy: RetryPolicy, answer: (records: string[], call: number) => Outcome) {
  const calls: string[][] = []
  const settled: string[] = []
  const discarded: string[] = []
  for (let item = work.current; item !== undefined; item = work.current) {
    if (item.giveUp !== undefined) {
      discarded.push(...names(work.dropCurrent()))
      continue
    }
    assert.ok(!isExhausted(policy, item.attempt))
    const records = names(item.shares)
    calls.push(records)
    assert.ok(calls.length < 50_000, 'comes to an end')
    const step = plan(policy, records.length, item.attempt, answer(records, calls.length - 1), 0.5)
    assert.ok(step.kind !== 'leave')
    settled.push(...names(work.apply(step, giveUp('retries'))))
  }
  return { calls, settled, discarded }
}

const failsWith =
  (poison: ReadonlySet<string>) =>
  (records: string[]): Outcome =>
    records.some(name => poison.has(name)) ? { kind: 'failed', error: 'poison' } : { kind: 'ok' }

describe('one bad record among others is isolated (reference 7.2)', () => {
  test('eight records, the fifth is bad, no retries: it is given up, seven are processed, in order', () => {
    const policy = { ...forEver, bisect: true, maxRetries: 0 }
    const result = run(new Work([freshItem(shares(8))]), policy, failsWith(new Set(['0/5'])))
    assert.deepEqual(result.discarded, ['0/5'])
    assert.deepEqual(result.calls, [
      ['0/0', '0/1', '0/2', '0/3', '0/4', '0/5', '0/6', '0/7'],
      ['0/0', '0/1', '0/2', '0/3'],
      ['0/4', '0/5', '0/6', '0/7'],
      ['0/4', '0/5'],
      ['0/4'],
      ['0/5'],
      ['0/6', '0/7']
    ])
  })

  test('one in n costs at most 2·⌈log₂ n⌉ + R calls beyond the first', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600 }), fc.nat(599), fc.nat(4), (count, at, maxRetries) => {
        const poison = new Set([`0/${at % count}`])
        const { calls, discarded } = run(
          new Work([freshItem(shares(count))]),
          { ...forEver, bisect: true, maxRetries },
          failsWith(poison)
        )
        assert.deepEqual(discarded, [...poison])
        assert.ok(calls.length <= 1 + 2 * Math.ceil(Math.log2(count)) + maxRetries, `${calls.length} calls`)
      })
    )
  })
})

/** Answers as strange as they come: named items, throttles and cuts among failures that follow from the records. */
const outcomes = fc.infiniteStream(fc.record({ kind: fc.nat(5), dice: fc.nat() }))

test('whatever the function answers, each record is settled or given up once, first delivered in order, and called no more than stated', () => {
  const policies = fc.record({ maxRetries: fc.nat(3), bisect: fc.boolean() })
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(policies, sizes, outcomes, (wishes, sizes, stream) => {
      const policy: RetryPolicy = { ...forEver, ...wishes, reportsItemFailures: true }
      const all = shares(...sizes)
      const counted = new Map<string, number>()
      const { calls, settled, discarded } = run(new Work([freshItem(all)]), policy, (records, call): Outcome => {
        const { kind, dice } = stream.next().value!
        const count = () => {
          for (const name of records) counted.set(name, (counted.get(name) ?? 0) + 1)
        }
        if (kind === 0 && call < 40) return { kind: 'busy', waitMs: undefined, error: '' }
        if (kind === 1 && call < 40) return { kind: 'unreachable', error: '' }
        if (kind === 2) return { kind: 'too-large', error: '' }
        count()
        if (kind === 3) return { kind: 'failed', error: '' }
        if (kind === 4) {
          const failed = records.flatMap((_, index) => ((dice >> (index % 20)) & 1 ? [index] : []))
          if (failed.length > 0) return { kind: 'partial', failed, error: '' }
        }
        return { kind: 'ok' }
      })
      assert.deepEqual([...settled, ...discarded].sort(), names(all).sort(), 'each once')
      const first = new Map<string, number>()
      calls.forEach((records, call) => {
        for (const name of records) if (!first.has(name)) first.set(name, call)
      })
      for (const { slices } of all) {
        const order = slices.flatMap(slice =>
          names([{ lane: new Lane('orders', slice.block.partition), slices: [slice] }])
        )
        const firsts = order.map(name => first.get(name)!)
        assert.deepEqual(
          firsts,
          firsts.toSorted((a, b) => a - b),
          'first delivered in order'
        )
      }
      // Splits are not counted: of ten records there are at most four.
      for (const times of counted.values()) assert.ok(times <= policy.maxRetries + 1 + (policy.bisect ? 5 : 0))
    })
  )
})

describe('records that are too old (reference 7.1)', () => {
  const maxAgeMs = 60_000
  const aged = (...timestamps: number[]): WorkItem =>
    freshItem([
      {
        lane: new Lane('orders', 0),
        slices: [wholeSlice(blockOf(timestamps.map((timestamp, offset) => ({ offset, timestamp, value: 'v' }))))]
      }
    ])

  test('are taken out before a call; the younger ones of a batch that was called go on', () => {
    const work = new Work([aged(100_000, 10_000, 100_000, -1)])
    assert.deepEqual(
      work.expire(100_000, maxAgeMs, false, () => giveUp('age')),
      []
    )
    assert.deepEqual(names(work.current!.shares), ['0/1'])
    assert.equal(work.current!.giveUp?.condition, 'age')
    work.dropCurrent()
    assert.deepEqual(names(work.current!.shares), ['0/0', '0/2', '0/3'], 'also what has no timestamp')
  })

  test('are taken out before a first call; the younger ones need not wait until somebody has been told', () => {
    const work = new Work([aged(100_000, 10_000, 100_000)])
    assert.deepEqual(names(work.expire(100_000, maxAgeMs, true, () => giveUp('age'))), ['0/0', '0/2'])
    assert.deepEqual(names(work.dropCurrent()), ['0/1'])
    assert.equal(work.current, undefined)
  })

  test('are so from the millisecond after the limit on, and a wait ends then', () => {
    const item = aged(40_000, 50_000)
    assert.equal(msToExpiry(item, 100_000, maxAgeMs), 1)
    const work = new Work([item])
    work.expire(100_000, maxAgeMs, true, () => giveUp('age'))
    assert.equal(sharesRecords(work.current!.shares), 2)
    work.expire(100_001, maxAgeMs, true, () => giveUp('age'))
    assert.deepEqual(names(work.current!.shares), ['0/0'])
  })

  test('do not exist without a limit', () => {
    assert.equal(msToExpiry(aged(1), 1e15, -1), Number.POSITIVE_INFINITY)
  })
})

describe('what the next owner of a lane is told', () => {
  test('nothing of a batch to which nothing has happened', () => {
    const [share] = shares(4)
    assert.deepEqual(new Work([freshItem([share!])]).pieces(share!.lane), [])
  })

  test('the halves of a batch and their tries, each lane by itself', () => {
    const [one, two] = shares(3, 4)
    const work = new Work([freshItem([one!, two!])])
    const failed: Outcome = { kind: 'failed', error: '' }
    const policy = { ...forEver, bisect: true }
    for (const records of [7, 4]) {
      const step = plan(policy, records, work.current!.attempt, failed, 0.5)
      assert.ok(step.kind === 'split')
      work.apply(step, giveUp('retries'))
    }
    const again = plan(forEver, 2, work.current!.attempt, failed, 0.5)
    assert.ok(again.kind === 'again')
    work.apply(again, giveUp('retries'))
    assert.deepEqual(work.pieces(one!.lane), [
      { first: 0, next: 2, failures: 1 },
      { first: 2, next: 3, failures: 0 }
    ])
    assert.deepEqual(work.pieces(two!.lane), [
      { first: 0, next: 1, failures: 0 },
      { first: 1, next: 4, failures: 0 }
    ])
  })
})

test('an answer finds its records by partition and offset, also where offsets have holes', () => {
  const block = blockOf([{ offset: 3 }, { offset: 7 }, { offset: 2 ** 40 }])
  const other = plainBlock(7, 2, { partition: 1 })
  const sent = sentRecords([
    { lane: new Lane('orders', 0), slices: [{ block, from: 1, to: 3 }] },
    { lane: new Lane('orders', 1), slices: [wholeSlice(other)] }
  ])
  assert.equal(sent.count, 4)
  assert.deepEqual(
    [sent.indexOf('orders-0', 7), sent.indexOf('orders-0', 2 ** 40), sent.indexOf('orders-1', 8)],
    [0, 1, 3]
  )
  assert.deepEqual(
    [sent.indexOf('orders-0', 3), sent.indexOf('orders-0', 8), sent.indexOf('orders-2', 7)],
    [-1, -1, -1]
  )
})
