import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EventEncoder, maxEventBytes, type EventSourceFields } from '../../../src/core/event/encoder.ts'
import type { Slice } from '../../../src/core/record.ts'
import { blockOf, plainBlock, wholeSlice, type RecordFields } from '../../support/blocks.ts'

const selfManaged: EventSourceFields = { kind: 'self-managed', bootstrapServers: '127.0.0.1:9092,127.0.0.1:9093' }

interface Part {
  readonly topic: string
  readonly partition: number
  readonly timestampType: 'CREATE_TIME' | 'LOG_APPEND_TIME'
  readonly records: readonly RecordFields[]
}

/** The plain way: objects and JSON.stringify. What the encoder writes must be equal to the byte. */
function reference(source: EventSourceFields, parts: readonly Part[]): string {
  const records: Record<string, unknown[]> = {}
  for (const part of parts) {
    const list = (records[`${part.topic}-${part.partition}`] ??= [])
    for (const record of part.records) {
      list.push({
        topic: part.topic,
        partition: part.partition,
        offset: record.offset,
        timestamp: record.timestamp ?? 1_700_000_000_000,
        timestampType: part.timestampType,
        ...(record.key === null || record.key === undefined ? {} : { key: Buffer.from(record.key).toString('base64') }),
        ...(record.value === null || record.value === undefined
          ? {}
          : { value: Buffer.from(record.value).toString('base64') }),
        headers: (record.headers ?? []).map(([name, value]) => ({
          [name]: value === null ? [] : [...new Int8Array(Buffer.from(value))]
        }))
      })
    }
  }
  return JSON.stringify({
    eventSource: source.kind === 'msk' ? 'aws:kafka' : 'SelfManagedKafka',
    ...(source.arn === undefined ? {} : { eventSourceArn: source.arn }),
    bootstrapServers: source.bootstrapServers,
    records
  })
}

const slicesOf = (parts: readonly Part[]): Slice[] => parts.map(part => wholeSlice(blockOf(part.records, part)))

function encode(source: EventSourceFields, slices: readonly Slice[], maxBytes?: number) {
  const encoder = new EventEncoder(source, maxBytes)
  const out = Buffer.alloc(encoder.capacityFor(slices))
  const { bytes, records } = encoder.encode(slices, out)
  return { text: out.toString('utf8', 0, bytes), bytes, records }
}

const field = fc.option(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 500, maxLength: 530 })), {
  nil: null
})
// `__proto__` is the one name that the plain way cannot say as an object literal.
const headerName = fc.string({ unit: 'grapheme', maxLength: 12 }).filter(name => name !== '__proto__')
const recordFields = fc.record({
  gap: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 10_000_000 })),
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 4_000_000_000_000 })),
  key: field,
  value: field,
  headers: fc.array(fc.tuple(headerName, fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null })), { maxLength: 3 })
})
const part = fc
  .record({
    topic: fc.constantFrom('orders', 'a-b.c_d-1'),
    partition: fc.integer({ min: 0, max: 2_000 }),
    timestampType: fc.constantFrom('CREATE_TIME' as const, 'LOG_APPEND_TIME' as const),
    start: fc.oneof(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 0, max: 9_000_000_000_000 })),
    rows: fc.array(recordFields, { minLength: 1, maxLength: 8 })
  })
  .map(({ start, rows, ...rest }) => {
    let next = start
    const records = rows.map(({ gap, ...row }) => {
      const offset = next + gap
      next = offset + 1
      return { ...row, offset }
    })
    return { ...rest, records }
  })
const parts = fc.uniqueArray(part, {
  minLength: 1,
  maxLength: 4,
  selector: ({ topic, partition }) => `${topic}-${partition}`
})

test('is equal to JSON.stringify, byte for byte, whatever the records hold', () => {
  fc.assert(
    fc.property(parts, fc.boolean(), (parts, msk) => {
      const source: EventSourceFields = msk
        ? { kind: 'msk', arn: 'arn:aws:kafka:us-east-1:000000000000:cluster/demo/u-1', bootstrapServers: 'b-1:9092' }
        : selfManaged
      const expected = reference(source, parts)
      const encoded = encode(source, slicesOf(parts))
      assert.equal(encoded.text, expected)
      assert.equal(encoded.bytes, Buffer.byteLength(expected))
    }),
    { numRuns: 300 }
  )
})

test('stops before the record that would pass the limit, and no earlier', () => {
  fc.assert(
    fc.property(parts, fc.double({ min: 0, max: 1, noNaN: true }), (parts, share) => {
      const records = parts.reduce((sum, part) => sum + part.records.length, 0)
      const sizes = Array.from({ length: records }, (_, n) =>
        Buffer.byteLength(reference(selfManaged, head(parts, n + 1)))
      )
      const limit = Math.floor(sizes.at(-1)! * share) + 1
      const { records: taken, bytes } = encode(selfManaged, slicesOf(parts), limit)
      assert.equal(taken, sizes.filter(size => size <= limit).length)
      assert.equal(bytes, taken === 0 ? 0 : sizes[taken - 1])
    }),
    { numRuns: 300 }
  )
})

/** The first `count` records of all parts. */
function head(parts: readonly Part[], count: number): Part[] {
  const out: Part[] = []
  for (const part of parts) {
    if (count <= 0) break
    out.push({ ...part, records: part.records.slice(0, count) })
    count -= part.records.length
  }
  return out
}

test('signed header bytes, order and duplicates of names are kept', () => {
  const headers = [
    ['trace', Buffer.from('ë')],
    ['trace', ''],
    ['none', null]
  ] as const
  const { text } = encode(selfManaged, [wholeSlice(blockOf([{ offset: 7, value: 'v', headers }]))])
  assert.match(text, /"headers":\[{"trace":\[-61,-85\]},{"trace":\[\]},{"none":\[\]}\]/)
})

test('a null key or value is left out, an empty one is an empty string', () => {
  const { text } = encode(selfManaged, [wholeSlice(blockOf([{ offset: 0, key: null, value: '' }]))])
  const { records } = JSON.parse(text) as { records: Record<string, Record<string, unknown>[]> }
  assert.deepEqual(Object.keys(records['orders-0']![0]!), [
    'topic',
    'partition',
    'offset',
    'timestamp',
    'timestampType',
    'value',
    'headers'
  ])
  assert.equal(records['orders-0']![0]!['value'], '')
})

test('an event holds 6 MB and not a byte more', () => {
  const block = plainBlock(0, 7_000, { valueBytes: 700 })
  const { bytes, records } = encode(selfManaged, [wholeSlice(block)])
  assert.ok(bytes <= maxEventBytes && bytes > maxEventBytes - 1_200, String(bytes))
  assert.ok(records < 7_000)
})

test('says how large the event of a record alone would be', () => {
  const block = plainBlock(5, 1, { valueBytes: 3_000 })
  const encoder = new EventEncoder(selfManaged)
  assert.equal(encoder.bytesAlone(block, 0), encode(selfManaged, [wholeSlice(block)]).bytes)
})
