import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Marks } from '../../../src/core/filter/leaf-program.ts'

test('marks hold beyond two thousand million records of a thread, and none is left from before', () => {
  const marks = new Marks(1, 1)
  marks.generation = 0x7ffffffe
  for (let record = 0; record < 3; record++) {
    marks.begin()
    assert.notEqual(marks.hits[0], marks.generation)
    assert.notEqual(marks.seen[0], marks.generation)
    marks.hits[0] = marks.generation
    marks.seen[0] = marks.generation
    assert.equal(marks.hits[0], marks.generation)
  }
})
