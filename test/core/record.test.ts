import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EventEncoder } from '../../src/core/event/encoder.ts'
import { slicePayloadBytes } from '../../src/core/record.ts'
import { blockOf, type RecordFields, wholeSlice } from '../support/blocks.ts'

const encoder = new EventEncoder({ kind: 'self-managed', bootstrapServers: 'b:9092' })

const eventOf = (records: readonly RecordFields[], isKept?: (record: number) => boolean): unknown => {
  const block = blockOf(records)
  if (isKept !== undefined) block.retain(isKept)
  const out = Buffer.alloc(100_000)
  const { bytes } = encoder.encode([wholeSlice(block)], out)
  return bytes === 0 ? undefined : JSON.parse(out.toString('utf8', 0, bytes))
}

const records: fc.Arbitrary<RecordFields[]> = fc
  .array(
    fc.record({
      key: fc.option(fc.string({ maxLength: 8 })),
      value: fc.option(fc.string({ maxLength: 40 })),
      headers: fc.array(fc.tuple(fc.string({ maxLength: 4 }), fc.option(fc.string({ maxLength: 4 }))), { maxLength: 2 })
    }),
    { minLength: 1, maxLength: 12 }
  )
  .map(fields => fields.map((field, index) => ({ ...field, offset: index * 3, timestamp: 1_700_000_000_000 + index })))

test('a block of which records were taken out is as one that never had them', () => {
  fc.assert(
    fc.property(records, fc.infiniteStream(fc.boolean()), (records, dice) => {
      const kept = records.map(() => dice.next().value!)
      const expected = eventOf(records.filter((_, index) => kept[index]!))
      assert.deepEqual(
        eventOf(records, record => kept[record]!),
        expected
      )
    })
  )
})

test('few records that are left do not keep the bytes of the others', () => {
  let released = 0
  const value = 'x'.repeat(1_000)
  const fields = Array.from({ length: 20 }, (_, offset) => ({ offset, value }))
  const block = blockOf(fields, { onRelease: () => released++ })
  assert.equal(
    block.retain(record => record === 7 || record === 9),
    2
  )
  assert.equal(released, 1)
  assert.ok(block.bytes.length < 2_100)
  assert.ok(slicePayloadBytes(wholeSlice(block)) < 2_100)
  block.finish(2)
  assert.equal(released, 1, 'once')
})

test('with most records left the bytes are shared until the last is finished; with none they are free at once', () => {
  let released = 0
  const fields = Array.from({ length: 4 }, (_, offset) => ({ offset, value: 'abcd' }))
  const block = blockOf(fields, { onRelease: () => released++ })
  assert.equal(
    block.retain(record => record !== 2),
    3
  )
  assert.equal(released, 0)
  block.finish(3)
  assert.equal(released, 1)
  assert.equal(
    blockOf(fields, { onRelease: () => released++ }).retain(() => false),
    0
  )
  assert.equal(released, 2)
})
