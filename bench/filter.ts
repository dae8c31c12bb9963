// The filter alone, on one thread: records per second on nested JSON of 900 bytes, beside JSON.parse of the same; and what
// hostile values and patterns cost by KB of value, beside JSON.parse and bare loops.
//   node bench/filter.ts [ROUNDS]
import { parsePattern } from '../src/core/filter/language.ts'
import { RecordFilter } from '../src/core/filter/record-filter.ts'
import { column, type Block } from '../src/core/record.ts'
import { blockOf } from '../test/support/blocks.ts'
import { hostilePatterns, hostileValues } from './filter-hostile.ts'
import { spread } from './report.ts'

const rounds = Number(process.argv[2] ?? 9)
/** Values of a round: some tens of milliseconds. */
const bytesPerRound = 12_000_000

/** Rounds of a hostile pair, and CPU time of each; there are hundreds of pairs. */
const [hostileRounds, hostileMicroseconds] = [3, 4_000]

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
  ['topic and offset', ['{"topic":["orders"],"offset":[{"numeric":["<",100]}]}']],
  ['key', ['{"key":["azE="]}']],
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

/** What JavaScript takes at least to look at each byte of a list of digits: a sum, and what tells digits, commas and quotes apart. */
function bareLoops(): readonly (readonly [string, number])[] {
  const bytes = Buffer.from(`[${'1,'.repeat(500_000)}1]`)
  const loops: Readonly<Record<string, () => number>> = {
    'adding the bytes up': () => {
      let sum = 0
      for (let at = 0; at < bytes.length; at++) sum = (sum + bytes[at]!) | 0
      return sum
    },
    'telling digits, commas and quotes apart': () => {
      let told = 0
      for (let at = 0; at < bytes.length; at++) {
        const byte = bytes[at]!
        if (byte === 44) told++
        else if (byte >= 48 && byte <= 57) told += 2
        else if (byte === 34) told += 3
      }
      return told
    }
  }
  return Object.entries(loops).map(([name, loop]) => {
    const costs = Array.from({ length: rounds + 10 }, () => cpuMicroseconds(loop)).slice(10)
    return [name, spread(costs).median / (bytes.length / 1024)]
  })
}

/** What a value costs beside its bytes read by JSON.parse, by KB. */
interface HostileCost {
  readonly name: string
  readonly perKb: number
  readonly parsePerKb: number
  /** Paired by round: what else the machine does cancels. */
  readonly ratio: number
}

function measureHostile(name: string, patterns: readonly string[], text: string): HostileCost {
  const filter = new RecordFilter(patterns.map(parsePattern), { mismatch: 'drop' })
  const block = blockOfValues([text])
  const bytes = valueBytes(block)
  const [start, end] = [block.positions[column.valueStart]!, block.positions[column.valueEnd]!]
  const parse = (): void => {
    try {
      JSON.parse(block.bytes.toString('utf8', start, end))
    } catch {
      // Some are broken.
    }
  }
  const accept = (): void => {
    if (filter.accepts(block, 0)) throw new Error(`${name} was to be refused`)
  }
  const repeated = (work: () => void): number => {
    // The first time is not counted; then as often as takes some milliseconds.
    work()
    const once = Math.max(5, cpuMicroseconds(work))
    const repeats = Math.ceil(hostileMicroseconds / once)
    return (
      cpuMicroseconds(() => {
        for (let repeat = 0; repeat < repeats; repeat++) work()
      }) / repeats
    )
  }
  // Until it is compiled for good, which takes V8 a while for so large a loop.
  for (let warm = 0; warm < 5; warm++) repeated(accept)
  const pairs = Array.from({ length: hostileRounds }, () => ({ ours: repeated(accept), parse: repeated(parse) }))
  const perKb = (of: (pair: { ours: number; parse: number }) => number): number =>
    spread(pairs.map(of)).median / (bytes / 1024)
  return {
    name,
    perKb: perKb(({ ours }) => ours),
    parsePerKb: perKb(({ parse }) => parse),
    ratio: spread(pairs.map(({ ours, parse }) => ours / parse)).median
  }
}

console.log('\n| bare loop over bytes | µs per KB |')
console.log('| --- | --- |')
for (const [name, perKb] of bareLoops()) console.log(`| ${name} | ${perKb.toFixed(2)} |`)

const hostile = Object.entries(hostileValues).flatMap(([valueName, text]) =>
  Object.entries(hostilePatterns).map(([patternName, patterns]) =>
    measureHostile(`${valueName} | ${patternName}`, patterns, text)
  )
)
const cells = ({ name, perKb, parsePerKb, ratio }: HostileCost): string =>
  `| ${name} | ${perKb.toFixed(2)} | ${parsePerKb.toFixed(2)} | ${ratio.toFixed(2)} |`
const heading =
  '| value | patterns | µs per KB | JSON.parse of the bytes: µs per KB | ratio |\n| --- | --- | --- | --- | --- |'
const most = hostile.toSorted((left, right) => right.perKb - left.perKb)
console.log(
  `\nThe worst of ${hostile.length} hostile pairs; ${hostile.filter(({ perKb }) => perKb <= 2).length} take at most 2 µs per KB.\n`
)
console.log(heading)
for (const cost of most.slice(0, 25)) console.log(cells(cost))
console.log('\nBeside JSON.parse.\n')
console.log(heading)
for (const cost of hostile.toSorted((left, right) => right.ratio - left.ratio).slice(0, 12)) console.log(cells(cost))
console.log('\nThe worst with each value.\n')
console.log(heading)
for (const valueName of Object.keys(hostileValues))
  console.log(cells(most.find(({ name }) => name.startsWith(`${valueName} | `))!))
console.log('\nThe worst of each set of patterns.\n')
console.log(heading)
for (const patternName of Object.keys(hostilePatterns))
  console.log(cells(most.find(({ name }) => name.endsWith(` | ${patternName}`))!))
