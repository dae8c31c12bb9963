import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePattern } from '../../../src/core/filter/language.ts'
import { LeafProgram } from '../../../src/core/filter/leaf-program.ts'

test('what passed is told beyond two thousand million documents of a thread, and never of another document', () => {
  const { conditions } = parsePattern('{"a":[1]}')
  const program = new LeafProgram(conditions.map((condition, at) => ({ condition, at })))
  for (const document of [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1]) {
    assert.equal(program.passes(document, 0), false)
    program.onInteger(document, 1)
    assert.equal(program.passes(document, 0), true)
    assert.equal(program.passes(document + 1, 0), false)
  }
})
