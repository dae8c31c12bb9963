// The filter alone, on one thread: records per second on nested JSON of 900 bytes, beside JSON.parse of the same; and what
// hostile values and patterns cost by KB of value.
//   node bench/filter.ts [ROUNDS]
import { parsePattern } from '../src/core/filter/language.ts'
import { RecordFilter } from '../src/core/filter/record-filter.ts'
import { column, type Block } from '../src/core/record.ts'
import { blockOf } from '../test/support/blocks.ts'
import { spread } from './report.ts'

const rounds = Number(process.argv[2] ?? 9)
/** Values of a round: some tens of milliseconds. */
const bytesPerRound = 12_000_000

/** A nested order of about 900 bytes; one in ten is of the kind the patterns take. */
function order(index: number): string {
  const line = (at: number) => ({
    sku: `SKU-${index % 977}-${at}`,
    quantity: (index % 7) + at,
    price: { amount: 1999 + index, currency: 'EUR' }
  })
  return JSON.stringify({
    id: `order-2026-${String(index).padStart(9, '0')}`,
    created: '2026-11-21T14:51:14.000Z',
    customer: {
      id: 100_000 + index,
      name: 'Anna Müller',
      email: `anna.${index}@example.com`,
      address: { street: 'Lindenstraße 5', city: 'Berlin', zip: '10969', country: 'DE', geo: { lat: 52.5, lon: 13.4 } },
      tags: ['returning', 'newsletter', 'beta']
    },
    lines: [line(1), line(2), line(3)],
    payment: { method: 'card', brand: 'visa', last4: '4242', authorised: true, code: null },
    shipping: { carrier: 'dhl', service: 'express', tracking: `JD0146${index}`, weight: 1.25, pieces: 1 },
    status: index % 10 === 0 ? 'cancelled' : 'accepted',
    total: index % 10 === 0 ? 5000.5 : 120.25,
    note: 'Please ring twice, the bell is on the left side of the door. Leave nothing with the neighbours, and call before you come.'
  })
}

const blockOfValues = (values: readonly string[]): Block =>
  blockOf(values.map((value, offset) => ({ offset, value: Buffer.from(value) })))

const valueBytes = ({ positions, count }: Block): number => {
  let bytes = 0
  for (let row = 0; row < count; row++)
    bytes += positions[row * column.stride + column.valueEnd]! - positions[row * column.stride + column.valueStart]!
  return bytes
}

/** Of the whole process: a thread's own time advances in ticks of some milliseconds on some machines, a good part of a round. */
function cpuMicroseconds(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

interface Cost {
  readonly perRecord: number
  readonly perKb: number
  readonly passed: number
}

function measure(patterns: readonly string[], block: Block): Cost {
  const filter = new RecordFilter(patterns.map(parsePattern), { mismatch: 'drop' })
  const bytes = valueBytes(block)
  const repeats = Math.max(1, Math.round(bytesPerRound / bytes))
  let passed = 0
  const costs = Array.from({ length: rounds + 3 }, () =>
    cpuMicroseconds(() => {
      passed = 0
      for (let repeat = 0; repeat < repeats; repeat++)
        for (let row = 0; row < block.count; row++) if (filter.accepts(block, row)) passed++
    })
  ).slice(3) // the first ones are compiled meanwhile
  const { median } = spread(costs)
  return {
    perRecord: median / (repeats * block.count),
    perKb: median / ((repeats * bytes) / 1024),
    passed: passed / (repeats * block.count)
  }
}

const value = (inner: string): string => `{"value":${inner}}`
const orders = blockOfValues(Array.from({ length: 1_000 }, (_, index) => order(index)))
const repeatedPatterns = ['"cancelled"', '"lost"', '{"prefix":"canc"}', '{"suffix":"elled"}', '"refunded"']

const common: readonly (readonly [string, readonly string[]])[] = [
  ['exact', [value('{"status":["cancelled"]}')]],
  ['prefix', [value('{"status":[{"prefix":"canc"}]}')]],
  ['suffix', [value('{"status":[{"suffix":"elled"}]}')]],
  ['numeric', [value('{"total":[{"numeric":[">=",1000]}]}')]],
  ['nested path', [value('{"customer":{"address":{"city":["Hamburg"]}}}')]],
  ['anything-but', [value('{"status":[{"anything-but":["accepted","lost"]}]}')]],
  ['wildcard', [value('{"status":[{"wildcard":"c*l*d"}]}')]],
  ['list of objects', [value('{"lines":{"sku":[{"prefix":"SKU-9"}],"price":{"amount":[{"numeric":["<",2100]}]}}}')]],
  ['5 patterns, one top-level key', repeatedPatterns.map(test => value(`{"status":[${test}]}`))],
  [
    '10 patterns',
    [...repeatedPatterns, ...repeatedPatterns].map((test, at) =>
      value(`{"${at % 2 === 0 ? 'status' : 'note'}":[${test}]}`)
    )
  ]
]

console.log(`Values of ${Math.round(valueBytes(orders) / orders.count)} bytes, one thread.\n`)
console.log('| pattern | records/s | µs a record | passed |')
console.log('| --- | --- | --- | --- |')
for (const [name, patterns] of common) {
  const { perRecord, passed } = measure(patterns, orders)
  const rate = Math.round(1e6 / perRecord).toLocaleString('en')
  console.log(`| ${name} | ${rate} | ${perRecord.toFixed(2)} | ${Math.round(passed * 100)} % |`)
}
const texts = Array.from({ length: orders.count }, (_, index) => order(index))
const parse = spread(
  Array.from({ length: rounds }, () => cpuMicroseconds(() => texts.forEach(text => JSON.parse(text) as unknown)))
).median
console.log(`| JSON.parse alone, text at hand | | ${(parse / texts.length).toFixed(2)} | |`)

const many = (count: number, each: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => each(index)).join(',')
const long = 'ab'.repeat(16_384)
const hostile: readonly (readonly [string, readonly string[], string])[] = [
  ['wildcard on one long string', [value('{"a":[{"wildcard":"*aba*abb*ac*"}]}')], `{"a":"${long}"}`],
  [
    '10 patterns with wildcards on one path',
    Array.from({ length: 10 }, (_, at) => value(`{"a":[{"wildcard":"*ab${at}*b${at}"}]}`)),
    `{"a":"${long}"}`
  ],
  [
    'suffixes and wildcards, one list',
    [value(`{"a":[${many(8, at => `{"wildcard":"*a${at}b*"}`)},${many(20, at => `{"suffix":"x${at}"}`)}]}`)],
    `{"a":"${long}"}`
  ],
  [
    '1,000 values, strings in a list',
    [value(`{"a":[${many(600, at => `"${at}q"`)}]}`)],
    `{"a":[${many(4_000, at => `"${at % 700}w"`)}]}`
  ],
  [
    '300 numeric ranges, numbers in a list',
    [value(`{"a":[${many(120, at => `{"numeric":[">",${at * 10},"<",${at * 10 + 1}]}`)}]}`)],
    `{"a":[${many(8_000, at => String(at % 1000))}]}`
  ],
  [
    'addresses in a list',
    [value('{"a":[{"cidr":"10.0.0.0/8"},{"cidr":"2001:db8::/32"}]}')],
    `{"a":[${many(2_000, at => (at % 2 === 0 ? `"11.0.0.${at % 256}"` : '"2001:db7::1"'))}]}`
  ],
  [
    '$or of 1,000 branches',
    [value(`{${many(3, at => `"o${at}":{"$or":[${many(10, b => `{"k${b}":[1]}`)}]}`)}}`)],
    `{${many(3, at => `"o${at}":{${many(40, b => `"k${b + 1}":2`)}}`)}}`
  ],
  [
    'lists of small objects',
    [value('{"d":{"a":[1],"b":[2]}}')],
    `{"d":[${many(5_000, at => (at % 2 === 0 ? '{"a":1}' : '{"b":2}'))}]}`
  ],
  [
    'lists of small objects, missing fields',
    [value('{"d":{"a":[1],"b":[{"exists":false}],"c":[3]}}')],
    `{"d":[${many(5_000, at => (at % 2 === 0 ? '{"a":1}' : '{"b":2}'))}]}`
  ],
  ['escapes', [value('{"a":["x"]}')], `{"a":[${many(3_000, () => '"\\u0041\\n"')}]}`],
  ['not ASCII', [value('{"a":["x"]}')], `{"b":"${'äöü€😀'.repeat(3_000)}"}`],
  ['deep lists', [value('{"a":["x"]}')], `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
  ['huge numbers', [value('{"a":[{"numeric":[">",1]}]}')], `{"a":[${many(20, () => `0.${'123'.repeat(500)}`)}]}`],
  [
    'repeated names in lists',
    [value('{"d":{"a":[1],"b":[2]}}')],
    `{"d":[${many(1_000, () => '{"a":1,"a":3,"b":0}')}]}`
  ],
  ['broken at the end', [value('{"a":["x"]}')], `{"a":[${many(5_000, at => `"${at}"`)}`]
]
console.log('\n| hostile value or pattern | µs per KB |')
console.log('| --- | --- |')
for (const [name, patterns, text] of hostile)
  console.log(`| ${name} | ${measure(patterns, blockOfValues([text])).perKb.toFixed(2)} |`)
