import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { apis } from '../../src/devbroker/apis.ts'
import { MalformedRequest, WireReader } from '../../src/devbroker/wire-reader.ts'
import * as s from '../../src/devbroker/wire-schema.ts'
import type { WireType, WireVersion } from '../../src/devbroker/wire-schema.ts'
import { WireWriter } from '../../src/devbroker/wire-writer.ts'

function written<W>(type: WireType<unknown, W>, value: W, at: WireVersion): Buffer {
  const writer = new WireWriter(16)
  type.write(writer, value, at)
  const bytes = Buffer.concat(writer.buffers())
  assert.equal(writer.length, bytes.length)
  return bytes
}

function roundTrip<R, W>(type: WireType<R, W>, value: W, at: WireVersion): R {
  const reader = new WireReader(written(type, value, at))
  const read = type.read(reader, at)
  assert.equal(reader.left, 0, 'everything written is read')
  return read
}

const versions = fc.record({ version: fc.integer({ min: 0, max: 9 }), flexible: fc.boolean() })

suite('wire schema', () => {
  const primitives: [string, WireType<unknown>, fc.Arbitrary<unknown>][] = [
    ['int8', s.int8, fc.integer({ min: -128, max: 127 })],
    ['int16', s.int16, fc.integer({ min: -0x8000, max: 0x7fff })],
    ['int32', s.int32, fc.integer()],
    ['int64', s.int64, fc.maxSafeInteger()],
    ['bool', s.bool, fc.boolean()],
    ['uuid', s.uuid, fc.uint8Array({ minLength: 16, maxLength: 16 }).map(bytes => Buffer.from(bytes).toString('hex'))],
    ['string', s.string, fc.string({ unit: 'binary', maxLength: 300 })],
    ['nullable string', s.nullableString, fc.option(fc.string({ unit: 'binary' }))],
    ['bytes', s.bytes, fc.uint8Array({ maxLength: 9000 }).map(bytes => Buffer.from(bytes))],
    ['nullable bytes', s.nullableBytes, fc.option(fc.uint8Array().map(bytes => Buffer.from(bytes)))],
    ['array', s.array(s.string), fc.array(fc.string({ unit: 'binary' }), { maxLength: 200 })],
    ['nullable array', s.nullableArray(s.int32), fc.option(fc.array(fc.integer()))]
  ]
  for (const [name, type, values] of primitives) {
    test(`${name} is read as it was written, in both encodings`, () => {
      fc.assert(fc.property(values, versions, (value, at) => assert.deepEqual(roundTrip(type, value, at), value)))
    })
  }

  const message = s.struct({
    always: s.int32,
    late: s.since(3, s.string, 'unset'),
    early: s.until(4, s.nullableArray(s.int16)),
    middle: s.between(2, 6, s.bool, true),
    maybe: s.nullable(s.struct({ deep: s.int64 })),
    extra: s.tagged(5, 1, s.string, 'none'),
    other: s.tagged(2, 0, s.int32, -1)
  })

  test('a struct carries the fields of its version, and the defaults of the others', () => {
    const values = fc.record({
      always: fc.integer(),
      late: fc.string(),
      early: fc.option(fc.array(fc.integer({ min: -9, max: 9 }))),
      middle: fc.boolean(),
      maybe: fc.option(fc.record({ deep: fc.maxSafeInteger() }, { noNullPrototype: true })),
      extra: fc.string(),
      other: fc.integer()
    })
    fc.assert(
      fc.property(values, versions, (value, at) => {
        const { version, flexible } = at
        assert.deepEqual(roundTrip(message, value, at), {
          always: value.always,
          late: version >= 3 ? value.late : 'unset',
          early: version <= 4 ? value.early : null,
          middle: version >= 2 && version <= 6 ? value.middle : true,
          maybe: value.maybe,
          extra: flexible && version >= 1 ? value.extra : 'none',
          other: flexible ? value.other : -1
        })
      })
    )
  })

  test('a tagged field that is not known is skipped', () => {
    const newer = s.struct({ always: s.int32, news: s.tagged(9, 0, s.string), other: s.tagged(2, 0, s.int32) })
    const at = { version: 9, flexible: true }
    const older = s.struct({ always: s.int32, other: s.tagged(2, 0, s.int32) })
    const bytes = written(newer, { always: 7, news: 'what nobody knows', other: 3 }, at)
    assert.deepEqual(older.read(new WireReader(bytes), at), { always: 7, other: 3 })
  })

  test('null where none may be, and claims larger than the bytes, are malformed', () => {
    const classic = { version: 0, flexible: false }
    const flexible = { version: 0, flexible: true }
    const read = (type: WireType<unknown>, bytes: number[], at: WireVersion) => () =>
      type.read(new WireReader(Buffer.from(bytes)), at)
    assert.throws(read(s.string, [0xff, 0xff], classic), MalformedRequest)
    assert.throws(read(s.string, [0], flexible), MalformedRequest)
    assert.throws(read(s.string, [0x7f, 0xff, 1], classic), MalformedRequest)
    assert.throws(read(s.array(s.int8), [0x7f, 0xff, 0xff, 0xff, 1], classic), MalformedRequest)
    assert.throws(read(s.bytes, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], flexible), MalformedRequest)
    assert.throws(read(s.int32, [1, 2, 3], classic), MalformedRequest)
  })

  test('an array of more elements than any request has is malformed even when its bytes came', () => {
    const bytes = Buffer.concat([Buffer.from([0, 0x1e, 0x84, 0x80]), Buffer.alloc(2_000_000)])
    assert.throws(() => s.array(s.int8).read(new WireReader(bytes), { version: 0, flexible: false }), /array elements/)
  })

  test('every message of every API and version is read as it was written', () => {
    for (const { name, versions, flexibleFrom, request, response } of apis.values()) {
      for (let version = versions[0]; version <= versions[1]; version++) {
        const at = { version, flexible: version >= flexibleFrom }
        for (const type of [request, response]) {
          const read = roundTrip(type, type.absent, at)
          assert.deepEqual(read, type.absent, `${name} version ${version}`)
        }
      }
    }
  })

  test('reading random bytes as any request gives a request or MalformedRequest, never anything else', () => {
    const all = [...apis.values()]
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        fc.nat({ max: 20 }),
        fc.uint8Array({ maxLength: 400 }),
        (api, back, bytes) => {
          const version = Math.max(api.versions[0], api.versions[1] - back)
          const at = { version, flexible: version >= api.flexibleFrom }
          try {
            assert.equal(typeof api.request.read(new WireReader(Buffer.from(bytes)), at), 'object')
          } catch (error) {
            assert.ok(error instanceof MalformedRequest, String(error))
          }
        }
      ),
      { numRuns: 2000 }
    )
  })
})
