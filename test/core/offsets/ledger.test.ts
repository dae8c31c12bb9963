import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OffsetLedger } from '../../../src/core/offsets/ledger.ts'

test('commits the start while nothing was fetched', () => {
  const ledger = new OffsetLedger(42)
  assert.equal(ledger.committable, 42)
  assert.ok(ledger.idle)
})

test('never commits past an unsettled record, in whatever order and pieces they settle', () => {
  const pieces = fc.array(fc.record({ gap: fc.nat(3), length: fc.integer({ min: 1, max: 5 }) }), {
    minLength: 1,
    maxLength: 8
  })
  fc.assert(
    fc.property(pieces, fc.infiniteStream(fc.nat(1_000)), (pieces, dice) => {
      const ledger = new OffsetLedger(10)
      const open = new Set<number>()
      let next = 10
      for (const { gap, length } of pieces) {
        const first = next + gap
        next = first + length
        ledger.fetched(first, next)
        for (let offset = first; offset < next; offset++) open.add(offset)
      }
      while (open.size > 0) {
        const offsets = [...open]
        const first = offsets[dice.next().value! % offsets.length]!
        const upTo = first + 1 + (dice.next().value! % 4)
        ledger.settled(first, upTo)
        for (let offset = first; offset < upTo; offset++) open.delete(offset)
        assert.equal(ledger.committable, open.size === 0 ? next : Math.min(...open))
      }
      assert.ok(ledger.idle)
    })
  )
})

test('settling twice, or what was never fetched, changes nothing', () => {
  const ledger = new OffsetLedger(0)
  ledger.fetched(0, 4)
  ledger.settled(1, 2)
  ledger.settled(1, 2)
  ledger.settled(7, 9)
  assert.equal(ledger.committable, 0)
  ledger.settled(0, 1)
  assert.equal(ledger.committable, 2)
})

test('a hole left by compaction is not waited for', () => {
  const ledger = new OffsetLedger(0)
  ledger.fetched(5, 8)
  assert.equal(ledger.committable, 5)
  ledger.settled(5, 8)
  ledger.skipped(12)
  assert.equal(ledger.committable, 12)
})

test('what is skipped does not pass what is open', () => {
  const ledger = new OffsetLedger(0)
  ledger.fetched(0, 3)
  ledger.skipped(9)
  assert.equal(ledger.committable, 0)
  assert.equal(ledger.next, 9)
})

test('an offset that was fetched already is refused: it would be delivered twice', () => {
  const ledger = new OffsetLedger(0)
  ledger.fetched(0, 3)
  assert.throws(() => {
    ledger.fetched(2, 5)
  }, RangeError)
})

test('a cut log owes nothing above the cut, and what comes there is fetched anew', () => {
  const ledger = new OffsetLedger(0)
  ledger.fetched(0, 4)
  ledger.fetched(6, 9)
  ledger.cut(3)
  ledger.settled(0, 2)
  assert.equal(ledger.committable, 2)
  ledger.fetched(3, 5)
  ledger.settled(2, 5)
  assert.equal(ledger.committable, 5)
  ledger.cut(7)
  assert.equal(ledger.next, 5, 'a cut above all that was fetched changes nothing')
})

test('tells the next owner what is tried together and what of it is done', () => {
  const ledger = new OffsetLedger(0)
  ledger.fetched(0, 20)
  assert.deepEqual(ledger.progress(), { offset: 0, pieces: [], done: [] })
  ledger.bind([{ first: 0, next: 10, failures: 2 }], 10)
  ledger.settled(0, 3)
  ledger.settled(5, 7)
  assert.deepEqual(ledger.progress(), {
    offset: 3,
    pieces: [{ first: 3, next: 10, failures: 2 }],
    done: [{ first: 5, next: 7 }]
  })
  ledger.settled(3, 10)
  assert.deepEqual(ledger.progress(), { offset: 10, pieces: [], done: [] }, 'nothing once it is done')
})

test('passes on what an earlier owner told, also before it has read that far', () => {
  const before = {
    offset: 3,
    pieces: [
      { first: 3, next: 10, failures: 2 },
      { first: 10, next: 12, failures: 0 }
    ],
    done: [
      { first: 5, next: 7 },
      { first: 9, next: 10 }
    ]
  }
  const ledger = new OffsetLedger(3, before)
  assert.deepEqual(ledger.progress(), before)
  assert.deepEqual(
    [4, 5, 6, 7, 9].map(offset => ledger.wasDone(offset)),
    [false, true, true, false, true]
  )
  ledger.fetched(3, 8)
  assert.deepEqual(ledger.progress(), before, 'half of it read')
  ledger.settled(3, 4)
  assert.equal(ledger.committable, 4)
  ledger.settled(4, 5)
  assert.equal(ledger.committable, 7, 'what was done before counts')
})

test('tells what is done above the lowest unfinished offset also when nothing is tried together, and of earlier batches', () => {
  const ledger = new OffsetLedger(0)
  ledger.fetched(0, 20)
  ledger.bind([], 10)
  ledger.settled(1, 2)
  ledger.settled(8, 9)
  ledger.bind([{ first: 0, next: 5, failures: 1 }], 5)
  assert.deepEqual(ledger.progress().done, [
    { first: 1, next: 2 },
    { first: 8, next: 9 }
  ])
  ledger.cut(4)
  ledger.fetched(4, 10)
  ledger.bind([], 6)
  assert.deepEqual(ledger.progress().done, [{ first: 1, next: 2 }], 'not what was above a cut')
})

test('whatever is settled and told, owner after owner, nothing done comes again and nothing owed is forgotten', () => {
  const rounds = fc.array(fc.record({ read: fc.nat(30), settle: fc.array(fc.nat(29), { maxLength: 12 }) }), {
    maxLength: 6
  })
  fc.assert(
    fc.property(rounds, rounds => {
      const pieces = [
        { first: 0, next: 11, failures: 1 },
        { first: 11, next: 30, failures: 0 }
      ]
      const done = new Set<number>()
      let ledger = new OffsetLedger(0, { offset: 0, pieces, done: [] })
      for (const { read, settle } of rounds) {
        if (ledger.next < read) ledger.fetched(ledger.next, read)
        for (const offset of settle) {
          if (offset >= ledger.next) continue
          ledger.settled(offset, offset + 1)
          done.add(offset)
        }
        const progress = ledger.progress()
        ledger = new OffsetLedger(progress.offset, progress)
        for (let offset = 0; offset < 30; offset++) {
          const isDone = offset < progress.offset || ledger.wasDone(offset)
          assert.equal(isDone, done.has(offset), `offset ${offset}`)
        }
      }
    })
  )
})
