import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { compareDecimals, parseDecimal } from '../../../src/core/filter/decimal.ts'
import { NumberIndex } from '../../../src/core/filter/number-index.ts'
import { parseTest, type Test } from '../../../src/core/filter/operators.ts'
import { readJson } from '../../../src/core/filter/json.ts'
import { passes } from '../../../src/core/filter/tests.ts'

const near = fc.integer({ min: -5, max: 5 }).map(String)
const wide = fc.constantFrom(
  '9007199254740992',
  '9007199254740993',
  '1e22',
  '1e23',
  '0.1',
  '0.30000000000000004',
  '-0.0',
  '5e-324'
)
const numbers = fc.oneof(
  { weight: 5, arbitrary: near },
  wide,
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(value => JSON.stringify(value))
)
const operator = fc.oneof(
  numbers,
  fc.tuple(fc.constantFrom('<', '<=', '>', '>='), numbers).map(([sign, value]) => `{"numeric":["${sign}",${value}]}`),
  fc
    .tuple(fc.constantFrom('>', '>='), numbers, fc.constantFrom('<', '<='), numbers)
    .filter(([, low, , high]) => compareDecimals(parseDecimal(low), parseDecimal(high)) < 0)
    .map(([above, low, below, high]) => `{"numeric":["${above}",${low},"${below}",${high}]}`),
  fc.array(numbers, { minLength: 1, maxLength: 3 }).map(values => `{"anything-but":[${values.join(',')}]}`)
)
const lists = fc.array(
  operator.map((text): Test => parseTest(readJson(text), 'a')),
  { minLength: 1, maxLength: 6 }
)

describe('reference 15.37: numbers are equal by value', () => {
  test('many ranges and lists at once say what each by itself says', () => {
    fc.assert(
      fc.property(lists, numbers, (tests, value) => {
        const one = tests.some(test => passes(test, { kind: 'number', text: value }))
        const index = new NumberIndex([[], tests])
        assert.equal(index.passes(1, index.slotOf(Buffer.from(value), 0, value.length)), one)
        assert.equal(index.passes(0, index.slotOf(Buffer.from(value), 0, value.length)), false)
      }),
      { numRuns: 5_000 }
    )
  })

  test('decimals compare as doubles do, where doubles tell them apart', () => {
    const doubles = fc.double({ noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(doubles, doubles, (left, right) => {
        const compared = compareDecimals(parseDecimal(JSON.stringify(left)), parseDecimal(JSON.stringify(right)))
        assert.equal(Math.sign(compared), Math.sign(Number(left > right) - Number(left < right)))
      })
    )
  })

  test('spelling and place of the point do not matter, a digit beyond doubles does', () => {
    const compare = (left: string, right: string) => Math.sign(compareDecimals(parseDecimal(left), parseDecimal(right)))
    for (const text of ['300', '300.0', '3.0e2', '0.3E+3', '30000e-2']) assert.equal(compare(text, '300'), 0)
    assert.equal(compare('9007199254740993', '9007199254740992'), 1)
    assert.equal(compare('-1e400', '-1e399'), -1)
    assert.equal(compare('1e99999999999999999999', '1e400'), 1)
  })
})
