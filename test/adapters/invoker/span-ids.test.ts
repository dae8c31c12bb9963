import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newSpanId } from '../../../src/adapters/invoker/span-ids.ts'

test('span ids are 16 hexadecimal digits, and none comes twice', () => {
  const ids = Array.from({ length: 5_000 }, () => newSpanId())
  assert.equal(new Set(ids).size, ids.length)
  assert.ok(ids.every(id => /^[\da-f]{16}$/.test(id)))
})
