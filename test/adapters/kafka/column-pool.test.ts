import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ColumnPool } from '../../../src/adapters/kafka/column-pool.ts'
import { column } from '../../../src/core/record.ts'

test('columns have room for as many records as were asked for, each column of its own', () => {
  for (const count of [1, 16, 17, 1_000, 1_024, 1_025]) {
    const { capacity, offsets, timestamps, positions } = new ColumnPool(0).take(count)
    assert.ok(capacity >= count && capacity < Math.max(17, 2 * count))
    assert.deepEqual(
      [offsets.length, timestamps.length, positions.length],
      [capacity, capacity, capacity * column.stride]
    )
    offsets.fill(1)
    timestamps.fill(2)
    positions.fill(3)
    assert.ok(offsets.every(each => each === 1) && timestamps.every(each => each === 2))
  }
})

test('columns that came back are used again by whoever needs that size', () => {
  const pool = new ColumnPool(1 << 20)
  const columns = pool.take(1_000)
  pool.giveBack(columns)
  assert.notEqual(pool.take(100), columns)
  assert.equal(pool.take(600), columns)
  assert.notEqual(pool.take(1_000), columns, 'nobody holds them twice')
})

test('what is idle stays within its limit', () => {
  const pool = new ColumnPool(100_000)
  const taken = Array.from({ length: 8 }, () => pool.take(1_024))
  for (const columns of taken) pool.giveBack(columns)
  assert.equal(pool.idleBytes, 2 * 1_024 * 40)
})
