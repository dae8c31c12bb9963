import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseFilterCriteria } from '../../../src/core/filter/criteria.ts'
import { RecordFilter } from '../../../src/core/filter/record-filter.ts'
import { blockOf, type RecordFields } from '../../support/blocks.ts'

type Value = Uint8Array | string | null

function setup(patterns: readonly string[], mismatch: 'pass' | 'drop' = 'pass') {
  const criteria = { Filters: patterns.map(Pattern => ({ Pattern })) }
  const filter = new RecordFilter(parseFilterCriteria(criteria, { strictAws: false, maxFilters: 10 }), { mismatch })
  const block = (fields: Partial<RecordFields>) =>
    blockOf([{ offset: 15, timestamp: 1_545_084_650_987, ...fields }], { topic: 'orders', partition: 3 })
  return {
    filter,
    takes: (value: Value, fields: Partial<RecordFields> = {}) => filter.accepts(block({ value, ...fields }), 0),
    refusedBy: (value: Value) => filter.refusedBy(block({ value }), 0),
    explain: (value: Value) => filter.explain(block({ value }), 0)
  }
}

const json = '{"value":{"status":["open"]}}'
const plain = '{"value":["open",{"prefix":"op-"}]}'
const notUtf8 = Buffer.from([0x7b, 0xff, 0x7d])

describe('reference 4.2: how a value is read', () => {
  test('a plain string meets the plain form', () => {
    const { takes, filter } = setup([plain])
    assert.deepEqual([takes('open'), takes('op-1'), takes('closed'), takes('')], [true, true, false, false])
    assert.equal(filter.mismatches, 0)
  })

  test('an object or a list meets the JSON form', () => {
    const { takes, filter } = setup([json])
    const values = ['{"status":"open"}', ' [{"status":"open"}]', '{"status":"closed"}', '{}', '[]']
    assert.deepEqual(
      values.map(value => takes(value)),
      [true, true, false, false, false]
    )
    assert.equal(filter.mismatches, 0)
  })

  for (const [name, pattern, value] of [
    ['a plain string and the JSON form', json, 'open'],
    ['JSON and the plain form', plain, '{"status":"closed"}'],
    ['no UTF-8 and the JSON form', json, notUtf8],
    ['no UTF-8 and the plain form', plain, notUtf8],
    ['JSON that ends too early, which is a plain string', json, '{"status":"closed"'],
    ['a bare JSON scalar, which is a plain string', json, '"closed"']
  ] as const) {
    test(`${name}: the rest of the pattern decides, or the record is dropped; counted once`, () => {
      for (const mismatch of ['pass', 'drop'] as const) {
        const { takes, filter } = setup([pattern, '{"topic":["other"]}'], mismatch)
        assert.equal(takes(value), mismatch === 'pass')
        assert.equal(filter.mismatches, 1)
      }
      assert.equal(setup([`{"topic":["orders"],${pattern.slice(1)}`]).takes(value), true)
      assert.equal(setup([`{"topic":["other"],${pattern.slice(1)}`]).takes(value), false)
    })
  }

  test('without value in the pattern, metadata alone decides', () => {
    const { takes, filter } = setup(['{"partition":[3]}'])
    assert.deepEqual([takes('x'), takes(null), takes(notUtf8), takes('{}')], [true, true, true, true])
    assert.equal(filter.mismatches, 0)
  })

  test('bare JSON scalars are plain strings, quotes included', () => {
    const { takes } = setup(['{"value":["123","\\"x\\"","true"]}'])
    assert.deepEqual([takes('123'), takes('"x"'), takes('true'), takes('x')], [true, true, true, false])
  })

  test('a tombstone is a missing value: exists:false matches, everything else fails', () => {
    const takes = (pattern: string) => setup([pattern]).takes(null)
    assert.equal(takes('{"value":[{"exists":false}]}'), true)
    assert.equal(takes('{"value":{"status":[{"exists":false}]}}'), true)
    for (const pattern of [
      '{"value":[null]}',
      '{"value":[{"exists":true}]}',
      '{"value":[{"anything-but":"x"}]}',
      json,
      plain
    ])
      assert.equal(takes(pattern), false, pattern)
  })

  test('a byte order mark makes JSON a plain string', () => {
    assert.equal(setup([json], 'drop').takes('\uFEFF{"status":"open"}'), false)
  })
})

describe('reference 4.1: what can be filtered', () => {
  test('no filters take everything', () => assert.equal(setup([]).takes('x'), true))

  test('several filters are alternatives', () => {
    const { takes } = setup([json, '{"value":{"urgent":[true]}}'])
    assert.deepEqual(
      ['{"status":"open"}', '{"urgent":true}', '{"urgent":false}'].map(value => takes(value)),
      [true, true, false]
    )
  })

  test('metadata is what the event delivers: key in base64, headers as signed bytes', () => {
    const fields = {
      key: 'k1',
      headers: [
        ['kind', 'a'],
        ['kind', Buffer.from([0xc3])],
        ['empty', null]
      ]
    } as const
    const takes = (pattern: string) => setup([pattern]).takes('{"a":1}', fields)
    const accepted = [
      '{"topic":["orders"]}',
      '{"partition":[3]}',
      '{"offset":[{"numeric":[">",14]}]}',
      '{"timestamp":[{"numeric":[">=",1545084650987]}]}',
      '{"timestampType":["CREATE_TIME"]}',
      '{"key":["azE="]}',
      '{"headers":{"kind":[97]}}',
      '{"headers":{"kind":[-61]}}',
      '{"headers":{"empty":[{"exists":false}]}}',
      '{"headers":{"trace":[{"exists":false}]},"value":{"a":[1]}}',
      '{"$or":[{"topic":["other"]},{"value":{"a":[1]}}]}'
    ]
    for (const pattern of accepted) assert.equal(takes(pattern), true, pattern)
    for (const pattern of [
      '{"topic":["other"]}',
      '{"key":["k1"]}',
      '{"headers":{"kind":[98]}}',
      '{"topic":["orders"],"value":{"a":[2]}}'
    ])
      assert.equal(takes(pattern), false, pattern)
  })

  test('metadata is told over columns as it is over the event, record after record', () => {
    const numbers = fc.constantFrom('0', '3', '15', '-1', '1e15', '9007199254740991', '1545084650987')
    const tests = fc.oneof(
      numbers,
      numbers.map(each => `{"numeric":[">=",${each}]}`),
      fc.constantFrom(
        '"orders"',
        '"bills"',
        '"azE="',
        '""',
        '{"exists":false}',
        '{"exists":true}',
        '{"prefix":"a"}',
        '{"suffix":"=="}',
        '"CREATE_TIME"',
        '{"anything-but":["azE="]}',
        '{"anything-but":[3]}'
      )
    )
    const names = fc.constantFrom(
      'topic',
      'partition',
      'offset',
      'timestamp',
      'timestampType',
      'key',
      'topic.x',
      'headers.a'
    )
    const conditions = fc.dictionary(
      names,
      tests.map(each => `[${each}]`),
      { minKeys: 1, maxKeys: 3 }
    )
    const patterns = conditions.map(
      each =>
        `{${Object.entries(each)
          .map(([name, list]) => `"${name}":${list}`)
          .join(',')}}`
    )
    const records = fc.record({
      topic: fc.constantFrom('orders', 'bills'),
      partition: fc.constantFrom(0, 3),
      offset: fc.constantFrom(0, 15, 999_999_999_999_999, 1e15, Number.MAX_SAFE_INTEGER),
      timestamp: fc.constantFrom(-1, 0, 1_545_084_650_987),
      key: fc.oneof(fc.constantFrom(null, '', 'k1', 'long key '.repeat(50)), fc.uint8Array({ maxLength: 20 }))
    })
    fc.assert(
      fc.property(
        fc.array(patterns, { minLength: 1, maxLength: 3 }),
        fc.array(records, { minLength: 1, maxLength: 5 }),
        (texts, all) => {
          const { filter } = setup(texts)
          for (const { topic, partition, ...fields } of all) {
            const block = blockOf([{ ...fields, value: 'x', headers: [['a', 'b']] }], { topic, partition })
            assert.equal(
              filter.accepts(block, 0),
              filter.explain(block, 0).some(({ matched }) => matched)
            )
          }
        }
      ),
      { numRuns: 1_000 }
    )
  })

  test('a record without a key has no field key', () => {
    assert.equal(setup(['{"key":[{"exists":false}]}']).takes('x'), true)
    assert.equal(setup(['{"key":[{"exists":false}]}']).takes('x', { key: '' }), false)
  })

  test('two headers of one pattern lie in different elements of the list, so they never match together', () => {
    const headers = [
      ['a', 'x'],
      ['b', 'y']
    ] as const
    assert.equal(setup(['{"headers":{"a":[120],"b":[121]}}']).takes('x', { headers }), false)
    assert.equal(setup(['{"headers":{"a":[120]}}']).takes('x', { headers }), true)
  })
})

describe('records that are hard to read', () => {
  test('repeated names each count, within lists as well', () => {
    const { takes } = setup(['{"value":{"d":{"a":[1],"b":[2]}}}'])
    assert.equal(takes('{"d":{"a":0,"a":1,"b":2}}'), true)
    assert.equal(takes('{"d":[{"a":0,"a":1,"b":2}]}'), true)
    assert.equal(takes('{"d":[{"a":0,"a":1},{"b":2}]}'), false)
  })

  test('lists that could be combined in too many ways count as a mismatch, soon', () => {
    const names = Array.from({ length: 12 }, (_, at) => `k${at}`)
    const pattern = `{"value":{"d":{${names.map(name => `"${name}":["x"]`).join(',')},"z":["no"]}}}`
    const elements = names.map(name => `{"${name}":"x"}`).join(',')
    const value = `{${Array.from({ length: 12 }, () => `"d":[${elements}]`).join(',')},"d":{"z":0}}`
    const { takes, filter } = setup([pattern], 'drop')
    assert.equal(takes(value), false)
    assert.ok(filter.mismatches <= 1)
  })

  test('never raises, whatever the bytes are', () => {
    const { takes, refusedBy } = setup([
      json,
      plain,
      '{"value":{"a":[{"numeric":[">",1]}],"b":{"c":[{"exists":false}]}}}'
    ])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
        takes(bytes)
        refusedBy(bytes)
      })
    )
  })
})

describe('why a record was refused', () => {
  test('names the first condition that failed, for each pattern', () => {
    const { refusedBy } = setup([
      '{"value":{"a":[1],"b":["x"]}}',
      '{"topic":["other"]}',
      '{"value":{"$or":[{"a":[2]},{"b":["y"]}]}}'
    ])
    assert.deepEqual(refusedBy('{"a":1,"b":"z"}'), [
      { pattern: 0, condition: 'value.b' },
      { pattern: 1, condition: 'topic' },
      { pattern: 2, condition: 'value.$or' }
    ])
  })

  test('tells what was wanted and what was there', () => {
    const { explain } = setup(['{"value":{"price":[{"numeric":[">",1e2]}]}}'])
    const refused = (found: string) => [
      { matched: false, path: 'value.price', wanted: '[{"numeric":[">",1e2]}]', found }
    ]
    assert.deepEqual(explain('{"price":7.50}'), refused('7.50'))
    assert.deepEqual(explain('{"price":[1,"a"]}'), refused('1, "a"'))
    assert.deepEqual(explain('{"price":{"net":1}}'), refused('nothing'))
    assert.deepEqual(explain('{"price":101}'), [{ matched: true }])
  })

  test('says when only the elements of a list do not fit together', () => {
    const { explain } = setup(['{"value":{"d":{"a":[1],"b":[2]}}}'])
    const [explanation] = explain('{"d":[{"a":1},{"b":2}]}')
    assert.deepEqual(explanation, {
      matched: false,
      path: 'value.d.a and value.d.b',
      wanted: 'values within the same elements of lists',
      found: 'matching values only in different elements'
    })
  })

  test('refuses nothing by a condition when the record was taken', () => {
    const { refusedBy } = setup([json])
    assert.deepEqual(refusedBy('{"status":"open"}'), [])
  })
})
