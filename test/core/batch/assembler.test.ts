import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Batch, BatchAssembler, batchRecords, type BatchLimits } from '../../../src/core/batch/assembler.ts'
import { Lane } from '../../../src/core/batch/lane.ts'
import { blockOf, plainBlock, wholeSlice } from '../../support/blocks.ts'

function setup(limits: Partial<BatchLimits> = {}, lanes = 2) {
  const assembler = new BatchAssembler({ maxRecords: 10, maxBytes: 1_000_000, windowMs: 500, ...limits })
  const all = Array.from({ length: lanes }, (_, partition) => new Lane('orders', partition))
  const next = all.map(() => 0)
  return {
    assembler,
    lanes: all,
    add(lane: number, records: number, now = 0, valueBytes = 10) {
      const block = plainBlock(next[lane]!, records, { partition: lane, valueBytes })
      next[lane]! += records
      all[lane]!.add(wholeSlice(block), now)
      assembler.offer(all[lane]!)
    },
    release(batch: Batch) {
      for (const { lane } of batch.shares) {
        lane.busy = false
        assembler.offer(lane)
      }
    }
  }
}

const shape = (batch: Batch | undefined) =>
  batch?.shares.map(({ lane, slices }) => [
    lane.partition,
    slices.flatMap(({ block, from, to }) => [...block.offsets.subarray(from, to)])
  ])

test('waits for the window, which begins with the first record', () => {
  const { assembler, add } = setup()
  add(0, 3, 100)
  add(1, 2, 400)
  assert.equal(assembler.next(599), undefined)
  assert.equal(assembler.deadline(), 600)
  const batch = assembler.next(600)
  assert.equal(batch?.reason, 'window')
  assert.deepEqual(shape(batch), [
    [0, [0, 1, 2]],
    [1, [0, 1]]
  ])
})

test('closes at once when the count is there', () => {
  const { assembler, add } = setup()
  add(0, 25)
  const first = assembler.next(0)
  assert.equal(first?.reason, 'count')
  assert.deepEqual(shape(first), [[0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]])
  assert.equal(assembler.next(1_000), undefined, 'a lane has one batch out at a time')
})

test('plenty means concurrency: a full batch is taken from one lane alone', () => {
  const { assembler, add } = setup()
  add(0, 12)
  add(1, 12)
  assert.deepEqual(
    [assembler.next(0), assembler.next(0)].map(batch => batch?.shares.map(s => s.lane.partition)),
    [[0], [1]]
  )
})

test('window 0 delivers what is there', () => {
  const { assembler, add } = setup({ windowMs: 0 })
  add(0, 1, 7)
  assert.equal(batchRecords(assembler.next(7)!), 1)
})

test('short of memory, what is there goes out before its window', () => {
  const { assembler, add } = setup()
  add(0, 4)
  assert.equal(assembler.next(0), undefined)
  assert.equal(assembler.next(0, true)?.reason, 'memory')
})

test('bytes close a batch, and a record larger than all of it still goes out alone', () => {
  const { assembler, add, release } = setup({ maxBytes: 100 }, 1)
  add(0, 3, 0, 70)
  add(0, 1, 0, 500)
  const sizes: number[] = []
  for (let batch = assembler.next(0); batch !== undefined; batch = assembler.next(0)) {
    sizes.push(batchRecords(batch))
    release(batch)
  }
  assert.deepEqual(sizes, [1, 1, 1, 1])
})

test('what is put back goes out first, in its order', () => {
  const { assembler, add, lanes } = setup()
  add(0, 10)
  add(0, 5)
  const batch = assembler.next(0)!
  const [share] = batch.shares
  lanes[0]!.putBack([{ block: share!.slices[0]!.block, from: 6, to: 10 }], batch.openedAt)
  lanes[0]!.busy = false
  assembler.offer(lanes[0]!)
  assert.deepEqual(shape(assembler.next(500)), [[0, [6, 7, 8, 9, 0, 1, 2, 3, 4].map((n, i) => (i < 4 ? n : 10 + n))]])
})

test('a cut lane gives up what waits above the cut, and keeps the rest in its order', () => {
  const { assembler, add, lanes } = setup()
  add(0, 4, 7)
  add(0, 4, 9)
  const given = lanes[0]!.cut(6)
  assert.deepEqual(
    given.map(({ block, from, to }) => [...block.offsets.subarray(from, to)]),
    [[6, 7]]
  )
  assert.equal(lanes[0]!.oldestAt, 7)
  assert.deepEqual(shape(assembler.next(507)), [[0, [0, 1, 2, 3, 4, 5]]])
})

test('every record goes out once, in order within its lane, whatever arrives when', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), lane: fc.nat(3), records: fc.integer({ min: 1, max: 15 }) }),
    fc.record({ kind: fc.constant('send' as const), after: fc.nat(700) }),
    fc.record({ kind: fc.constant('settle' as const) })
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (steps, maxRecords) => {
      const { assembler, add, release, lanes } = setup({ maxRecords, maxBytes: 120 }, 4)
      const added = [0, 0, 0, 0]
      const seen: number[][] = [[], [], [], []]
      const out: Batch[] = []
      let now = 0
      const send = (short = false) => {
        for (let batch = assembler.next(now, short); batch !== undefined; batch = assembler.next(now, short)) {
          assert.ok(batchRecords(batch) <= maxRecords)
          for (const [partition, offsets] of shape(batch)! as [number, number[]][]) {
            assert.ok(out.every(other => other.shares.every(({ lane }) => lane.partition !== partition)))
            seen[partition]!.push(...offsets)
          }
          out.push(batch)
        }
      }
      for (const step of steps) {
        if (step.kind === 'add') {
          add(step.lane, step.records, now)
          added[step.lane]! += step.records
        } else if (step.kind === 'send') {
          now += step.after
          send()
        } else if (out.length > 0) release(out.shift()!)
      }
      while (out.length > 0 || lanes.some(lane => lane.records > 0)) {
        for (const batch of out.splice(0)) release(batch)
        send(true)
      }
      seen.forEach((offsets, lane) => {
        assert.deepEqual(
          offsets,
          Array.from({ length: added[lane]! }, (_, offset) => offset)
        )
      })
    })
  )
})

test('what a batch leaves because the commit could not tell of it waits since it arrived', () => {
  const assembler = new BatchAssembler({ maxRecords: 10_000, maxBytes: 1e9, windowMs: 1_000, maxDoneBytes: 100 })
  const lane = new Lane('orders', 0)
  const far = (first: number) =>
    wholeSlice(blockOf(Array.from({ length: 30 }, (_, index) => ({ offset: (first + index) * 100_000 }))))
  lane.add(far(0), 1_000)
  lane.add(far(30), 1_800)
  assembler.offer(lane)
  const batch = assembler.next(2_000)
  assert.ok(batch !== undefined && batchRecords(batch) < 30)
  assert.equal(lane.oldestAt, 1_000)
  assert.equal(lane.records + batchRecords(batch), 60)
})
