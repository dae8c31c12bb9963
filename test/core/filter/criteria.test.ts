import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MillraceError } from '../../../src/core/errors.ts'
import { parseFilterCriteria, type FilterCriteria } from '../../../src/core/filter/criteria.ts'
import { parsePattern, PatternError } from '../../../src/core/filter/language.ts'

function refusal(criteria: FilterCriteria, strictAws = false): { message: string; place: string; reason: string } {
  try {
    parseFilterCriteria(criteria, { strictAws, maxFilters: 10 })
  } catch (error) {
    assert.ok(error instanceof MillraceError && error.cause instanceof PatternError)
    assert.equal(error.aws, 'InvalidParameterValueException')
    return { message: error.message, place: error.cause.path, reason: error.cause.reason }
  }
  throw new assert.AssertionError({ message: 'nothing was refused' })
}
const refused = (Pattern: string) => refusal({ Filters: [{ Pattern }] })

function place(pattern: string): string {
  try {
    parsePattern(pattern)
  } catch (error) {
    if (error instanceof PatternError) return error.path
    throw error
  }
  return 'valid'
}

describe('reference 4.1: the filters of a mapping', () => {
  test('none, an empty list, and one for each pattern', () => {
    const count = (criteria: FilterCriteria) =>
      parseFilterCriteria(criteria, { strictAws: false, maxFilters: 5 }).length
    assert.deepEqual(
      [count({}), count({ Filters: [] }), count({ Filters: [{ Pattern: '{"value":["x"]}' }] })],
      [0, 0, 1]
    )
  })

  test('a sixth is refused, with the limit', () => {
    const Filters = Array.from({ length: 6 }, () => ({ Pattern: '{"value":["x"]}' }))
    const parse = () => parseFilterCriteria({ Filters }, { strictAws: false, maxFilters: 5 })
    assert.throws(parse, {
      code: 'MILL_PARAMETER_INVALID',
      message: 'FilterCriteria may hold at most 5 Filters, got 6.'
    })
    assert.equal(parseFilterCriteria({ Filters }, { strictAws: false, maxFilters: 6 }).length, 6)
  })

  test('4,096 characters are taken, one more is not', () => {
    const pattern = (length: number) => `{"value":["${'x'.repeat(length - 14)}"]}`
    assert.equal(
      parseFilterCriteria({ Filters: [{ Pattern: pattern(4_096) }] }, { strictAws: false, maxFilters: 5 }).length,
      1
    )
    assert.match(refused(pattern(4_097)).reason, /at most 4096 characters, got 4097/)
  })

  test('strict mode knows the value only', () => {
    const Filters = [{ Pattern: '{"topic":["x"]}' }]
    assert.equal(parseFilterCriteria({ Filters }, { strictAws: false, maxFilters: 5 }).length, 1)
    assert.match(refusal({ Filters }, true).reason, /no field 'topic'.*use value/)
  })

  test('the caller reads AWS’s sentence, the cause names filter, place and reason', () => {
    const given = refusal({
      Filters: [{ Pattern: '{"value":["x"]}' }, { Pattern: '{"value":{"price":[{"numeric":["=","5"]}]}}' }]
    })
    assert.deepEqual(given, {
      message: 'Invalid filter pattern definition.',
      place: 'Filters[1].Pattern at value.price[0].numeric[1]',
      reason: 'must be a number, got the string "5"'
    })
    assert.equal(refusal({ Filters: [{}] }).place, 'Filters[0].Pattern')
    assert.match(refused('{"data":{"a":[1]}}').reason, /no field 'data'/)
  })
})

describe('reference 4.3: patterns that are refused', () => {
  for (const [pattern, wanted] of [
    ['null', ''],
    ['plain text', ''],
    ['{"a":["x"]} and more', ''],
    ['{}', ''],
    ['{"a":"x"}', 'a'],
    ['{"a":[]}', 'a'],
    ['{"a":{}}', 'a'],
    ['{"a":[["x"]]}', 'a[0]'],
    ['{"a":["x",{}]}', 'a[1]'],
    ['{"a":[{"PREFIX":"x"}]}', 'a[0].PREFIX'],
    ['{"a":[{"prefix":"x","suffix":"y"}]}', 'a[0]'],
    ['{"a":{"b":[1]},"a.b":[2]}', 'a.b'],
    ['{"$or":[{"a":[1]}]}', '$or'],
    ['{"$or":[{"a":[1]},["b"]]}', '$or[1]'],
    ['{"$or":[{"a":[1]},{"prefix":["b"]}]}', '$or[1].prefix'],
    ['{"a":["\\ud800"]}', 'a[0]']
  ] as const) {
    test(`${pattern} at ${wanted || 'its root'}`, () => assert.equal(place(pattern), wanted))
  }

  test('alternatives that multiply to more than a thousand', () => {
    const or = (count: number, at: number) =>
      `"o${at}":{"$or":[${Array.from({ length: count }, (_, branch) => `{"k":[${branch}]}`).join(',')}]}`
    assert.equal(place(`{${or(10, 1)},${or(10, 2)},${or(10, 3)}}`), 'valid')
    assert.throws(() => parsePattern(`{${or(10, 1)},${or(10, 2)},${or(11, 3)}}`), /multiply to 1100, at most 1000/)
    const deep = (levels: number): string =>
      levels === 0 ? '{"x":[1]}' : `{"$or":[${deep(levels - 1)},${deep(levels - 1)}]}`
    assert.throws(() => parsePattern(deep(11)), /multiply to 2048/)
  })

  test('wildcards that a string can match in many places at once, as EventBridge refuses them', () => {
    const wildcard = (text: string) => `{"a":[{"wildcard":${JSON.stringify(text)}}]}`
    assert.throws(() => parsePattern(wildcard('*:*:*:*:*:event-bus/*')), /too complex.*fewer stars/)
    assert.equal(place(wildcard('arn:aws:events:us-east-1:*:event-bus/*')), 'valid')
  })

  test('lists of wildcards that make too large an automaton are refused', () => {
    const list = Array.from({ length: 60 }, (_, at) => `{"wildcard":"*a${at}*b${at}*c${at}"}`)
    assert.throws(() => parsePattern(`{"a":[${list.join(',')}]}`), /too complex/)
  })

  test('wildcards on one field that make too many automata together are refused, those of ten filters usually not', () => {
    const alternatives = Array.from({ length: 40 }, (_, at) => `{"a":[{"wildcard":"*a${at}*b*c*"}],"b":[${at}]}`)
    assert.throws(() => parsePattern(`{"$or":[${alternatives.join(',')}]}`), /too complex together.*over all filters/)
    const filters = (wildcard: (at: number) => string) =>
      Array.from({ length: 10 }, (_, at) => ({ Pattern: `{"value":{"a":[${wildcard(at)}]}}` }))
    const contains = filters(at => `{"wildcard":"*foo${at}*"},{"wildcard":"*bar${at}*"},{"wildcard":"*baz${at}*"}`)
    assert.equal(parseFilterCriteria({ Filters: contains }, { strictAws: false, maxFilters: 10 }).length, 10)
    const hard = filters(at => ['p', 'q', 'r', 's'].map(each => `{"wildcard":"*${each}${at}*b*c${each}*d*"}`).join())
    assert.match(refusal({ Filters: hard }).reason, /too complex together/)
  })

  test('thousands of values are not too many', () => {
    const values = Array.from({ length: 2_000 }, (_, at) => `"${at.toString(36)}"`)
    assert.equal(place(`{"a":[${values.join(',')}]}`), 'valid')
  })
})
