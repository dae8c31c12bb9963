import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Writer } from '@platformatic/kafka'
import fc from 'fast-check'
import { parseFetchResponse } from '../../../src/adapters/kafka/fetch-response.ts'
import { MalformedResponse } from '../../../src/adapters/kafka/problems.ts'

const topicId = '0a1b2c3d-0000-4000-8000-0123456789ab'

interface Share {
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly aborted: readonly (readonly [number, number])[]
  readonly records: Buffer
}

/** A response as a broker writes it in that version. `tags`: with tagged fields that we do not know. */
function encode(version: number, shares: readonly Share[], { errorCode = 0, tags = false } = {}): Buffer {
  const flexible = version >= 12
  const w = Writer.create().appendInt32(7)
  const someTags = () => {
    if (!flexible) return
    if (tags) w.appendUnsignedVarInt(1).appendUnsignedVarInt(9).appendUnsignedVarInt(3).append(Buffer.from('abc'))
    else w.appendUnsignedVarInt(0)
  }
  const count = (size: number) => void (flexible ? w.appendUnsignedVarInt(size + 1) : w.appendInt32(size))
  if (version >= 7) w.appendInt16(errorCode).appendInt32(0)
  count(1)
  if (version >= 13) w.appendUUID(topicId)
  else w.appendString('orders', flexible)
  count(shares.length)
  for (const share of shares) {
    w.appendInt32(share.partition).appendInt16(share.errorCode).appendInt64(BigInt(share.highWatermark)).appendInt64(5n)
    if (version >= 5) w.appendInt64(2n)
    count(share.aborted.length)
    for (const [producerId, firstOffset] of share.aborted) {
      w.appendInt64(BigInt(producerId)).appendInt64(BigInt(firstOffset))
      someTags()
    }
    if (version >= 11) w.appendInt32(-1)
    count(share.records.length)
    if (share.records.length > 0) w.append(share.records)
    someTags()
  }
  someTags()
  someTags()
  return Buffer.from(w.buffer)
}

const shares = fc.array(
  fc.record({
    partition: fc.nat(1000),
    errorCode: fc.integer({ min: -1, max: 200 }),
    highWatermark: fc.maxSafeNat(),
    aborted: fc.array(fc.tuple(fc.nat(), fc.maxSafeNat()), { maxLength: 3 }),
    records: fc.uint8Array({ maxLength: 80 }).map(each => Buffer.from(each))
  }),
  { maxLength: 5 }
)
const versions = fc.integer({ min: 4, max: 17 })

suite('parsing a Fetch response', () => {
  test('every version gives back what was written, unknown error codes and tagged fields included', () => {
    fc.assert(
      fc.property(versions, shares, fc.boolean(), (version, written, tags) => {
        const body = encode(version, written, { tags })
        const { partitions, throttleTimeMs } = parseFetchResponse(body, version)
        assert.equal(throttleTimeMs, 7)
        assert.deepEqual(
          partitions.map(each => ({
            partition: each.partition,
            errorCode: each.errorCode,
            highWatermark: each.highWatermark,
            aborted: each.aborted.map(({ producerId, firstOffset }) => [producerId, firstOffset]),
            records: body.subarray(each.recordsStart, each.recordsEnd)
          })),
          written.map(each => ({ ...each }))
        )
        assert.ok(partitions.every(each => each.topic === (version >= 13 ? topicId : 'orders')))
        assert.ok(partitions.every(each => each.logStartOffset === (version >= 5 ? 2 : -1)))
      })
    )
  })

  test('changed, cut or random bytes are parsed or refused as malformed, never anything else', () => {
    const change = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(versions, shares, change, fc.nat(), (version, written, changes, cut) => {
        const body = encode(version, written)
        for (const [at, byte] of changes) body[at % body.length] = byte
        for (const input of [body, body.subarray(0, cut % (body.length + 1))])
          try {
            for (const each of parseFetchResponse(input, version).partitions)
              assert.ok(each.recordsStart <= each.recordsEnd && each.recordsEnd <= input.length)
          } catch (error) {
            assert.ok(error instanceof MalformedResponse, String(error))
          }
      }),
      { numRuns: 500 }
    )
  })

  test('a count that no message of this size can hold is refused', () => {
    const body = encode(11, [])
    body.writeInt32BE(0x7fffffff, body.length - 4)
    assert.throws(() => parseFetchResponse(body, 11), { name: 'MalformedResponse', message: /2147483647 elements/ })
  })

  test('the error of the whole response is kept', () => {
    assert.equal(parseFetchResponse(encode(17, [], { errorCode: 71 }), 17).errorCode, 71)
  })
})
