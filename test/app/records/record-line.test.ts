import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readRecordLine } from '../../../src/app/records/record-line.ts'
import { recordJson, recordText, type ReadRecord } from '../../../src/app/records/record-text.ts'

const read = (line: string) => readRecordLine(Buffer.from(line), 'Line 2 of in.jsonl')
const place = { topic: 'orders', partition: 3, offset: 7, timestampMs: 1_700_000_000_000 }

const refusals: readonly (readonly [title: string, line: string, says: RegExp])[] = [
  ['no value', '{"key":"k"}', /^Line 2 of in\.jsonl has no value: give value, valueBase64/],
  ['a misspelt field', '{"vale":1}', /has no field "vale": did you mean value\?/],
  ['a field like none', '{"xyzzy":1}', /has no field "xyzzy": use value, valueBase64, key/],
  ['both forms', '{"value":"a","valueBase64":"YQ=="}', /has value and valueBase64: give one of them/],
  ['base64 that is none', '{"valueBase64":"%%"}', /must have base64 as valueBase64, got "%%"/],
  ['base64 that is a number', '{"value":"","keyBase64":1}', /must have base64 as keyBase64, got 1/],
  ['a partition below 0', '{"value":"a","partition":-1}', /whole number from 0 as partition, got -1/],
  ['a partition that is a text', '{"value":"a","partition":"0"}', /as partition, got "0"/],
  ['a header that is an object', '{"value":"a","headers":{"h":{}}}', /as headers\.h, got \{\}/],
  ['headers that are a list', '{"value":"a","headers":[]}', /as headers, got \[\]/],
  ['a time that is none', '{"value":"a","timestamp":"noon"}', /as timestamp, got "noon"/],
  ['a topic that is a number', '{"value":"a","topic":1}', /must have a text as topic, got 1/],
  ['no JSON', '{value}', /is not JSON: .* \(position 1\)/],
  ['a list', '[]', /must be an object/]
]

for (const [title, line, says] of refusals) {
  test(`a line with ${title} is refused, naming the field and what was given`, () => {
    assert.throws(() => read(line), { code: 'MILL_RECORD_INVALID', message: says })
  })
}

test('bytes that are no UTF-8 are refused with where they belong', () => {
  assert.throws(() => readRecordLine(Buffer.from([34, 255, 34]), 'Line 1'), /bytes go into valueBase64/)
})

test('a value that is no text is the JSON it was written as, digit for digit', () => {
  assert.equal(
    read('{"value":{"id":12345678901234567890,"x":1.10}}').message.value?.toString(),
    '{"id":12345678901234567890,"x":1.10}'
  )
  assert.equal(read('{"value":null}').message.value, null)
  assert.equal(read('{"value":"null"}').message.value?.toString(), 'null')
})

test('a time is milliseconds or ISO 8601', () => {
  assert.equal(read('{"value":"","timestamp":"2026-01-31T12:00:00Z"}').message.timestampMs, Date.UTC(2026, 0, 31, 12))
  assert.equal(read('{"value":"","timestamp":5}').message.timestampMs, 5)
})

test('what is written as JSON is read again to the same bytes', () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 20 }).map(each => Buffer.from(each)))
  const text = fc.option(fc.string().map(each => Buffer.from(each)))
  const part = fc.oneof(bytes, text)
  // Names with the same value forms keep their order; a name that JavaScript takes for an index does not.
  const name = fc.string({ minLength: 1 }).filter(each => !/^\d+$/.test(each) && each !== '__proto__')
  const headers = fc.uniqueArray(fc.tuple(name, text), { selector: ([each]) => each, maxLength: 4 })
  fc.assert(
    fc.property(part, part, headers, (key, value, headers) => {
      const { topic, message } = read(recordJson({ ...place, key, value, headers }))
      assert.equal(topic, place.topic)
      assert.deepEqual(message, {
        value,
        ...(key === null ? {} : { key }),
        ...(headers.length === 0 ? {} : { headers }),
        partition: place.partition,
        timestampMs: place.timestampMs
      })
    })
  )
})

test('for people a record is one line, and moves no cursor', () => {
  const record: ReadRecord = {
    ...place,
    key: Buffer.from('k'),
    value: Buffer.from('a\u001B[2J\nb'),
    headers: [['h', Buffer.from([255])]]
  }
  assert.equal(recordText(record), '2023-11-14T22:13:20.000Z orders-3@7 key=k [h=base64:/w==] a\\u001b[2J\\nb')
})
