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
