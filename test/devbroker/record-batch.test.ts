import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { crc32c } from '../../src/devbroker/crc32c.ts'
import { errorCodes, KafkaError } from '../../src/devbroker/error-codes.ts'
import type { ErrorName } from '../../src/devbroker/error-codes.ts'
import { buildBatch, checkProduced, placeBatch, readHeader, stampBatch } from '../../src/devbroker/record-batch.ts'
import { recordTimes } from '../../src/devbroker/record-times.ts'

const refusedWith = (name: ErrorName) => (error: unknown) =>
  error instanceof KafkaError && error.code === errorCodes[name]

/** Makes a change hold: the checksum is renewed. */
function changed(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(batch)
  change(copy)
  copy.writeUInt32BE(crc32c(copy, 21), 17)
  return copy
}

function compressed(batch: Buffer, codec: number, payload: Buffer): Buffer {
  const whole = Buffer.concat([batch.subarray(0, 61), payload])
  whole.writeInt32BE(whole.length - 12, 8)
  return changed(whole, bytes => bytes.writeInt16BE(codec, 21))
}

suite('CRC-32C', () => {
  test('gives the check value of its standard (RFC 3720, B.4)', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa)
    assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43)
  })

  test('of a part is that of the part alone, wherever it begins', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: 20 }), (bytes, before) => {
        const padded = Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.alloc(3, 9)])
        assert.equal(crc32c(padded, before, before + bytes.length), crc32c(Buffer.from(bytes)))
      })
    )
  })
})

suite('record batch', () => {
  const batch = () => buildBatch([{ key: 'k', value: 'v', headers: [['h', null]] }, { value: null }], 1_000)

  test('built here passes the checks of produce, with its records dated', () => {
    const header = checkProduced(
      buildBatch(
        [
          { value: 'a', timestamp: 50 },
          { value: 'b', timestamp: 20 }
        ],
        1_000
      )
    )
    assert.partialDeepStrictEqual(header, { lastOffset: 1, recordsCount: 2, baseTimestamp: 50, maxTimestamp: 50 })
  })

  test('is refused as corrupt after a change to any byte the checksum covers', () => {
    fc.assert(
      fc.property(fc.integer({ min: 21, max: batch().length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const corrupt = batch()
        corrupt[at]! ^= flip
        assert.throws(() => checkProduced(corrupt), refusedWith('CORRUPT_MESSAGE'))
      })
    )
  })

  test('cut short, empty or of a magic from the future is refused as corrupt', () => {
    for (const length of [0, 1, 16, 40, 60, 62]) {
      assert.throws(() => checkProduced(batch().subarray(0, length)), refusedWith('CORRUPT_MESSAGE'))
    }
    const future = changed(batch(), bytes => bytes.writeInt8(3, 16))
    assert.throws(() => checkProduced(future), refusedWith('CORRUPT_MESSAGE'))
  })

  test('of magic 0 or 1 is refused as a format that is not taken', () => {
    for (const magic of [0, 1]) {
      const old = batch()
      old.writeInt8(magic, 16)
      assert.throws(() => checkProduced(old), refusedWith('UNSUPPORTED_FOR_MESSAGE_FORMAT'))
      assert.throws(() => checkProduced(old.subarray(0, 30)), refusedWith('UNSUPPORTED_FOR_MESSAGE_FORMAT'))
    }
  })

  test('with a second batch behind it, or a count that does not fit its offsets, is refused as invalid', () => {
    assert.throws(() => checkProduced(Buffer.concat([batch(), batch()])), refusedWith('INVALID_RECORD'))
    const holes = changed(batch(), bytes => bytes.writeInt32BE(9, 23))
    assert.throws(() => checkProduced(holes), refusedWith('INVALID_RECORD'))
  })

  test('marked as control or transactional is refused', () => {
    const control = changed(batch(), bytes => bytes.writeInt16BE(0x20, 21))
    assert.throws(() => checkProduced(control), refusedWith('INVALID_RECORD'))
    const transactional = changed(batch(), bytes => bytes.writeInt16BE(0x10, 21))
    assert.throws(() => checkProduced(transactional), refusedWith('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'))
  })

  test('keeps its checksum when it gets its place, and a right one when it gets its time', () => {
    const placed = batch()
    placeBatch(placed, 41, 3)
    assert.partialDeepStrictEqual(checkProduced(placed), { baseOffset: 41, lastOffset: 42 })
    stampBatch(placed, 77)
    assert.partialDeepStrictEqual(checkProduced(placed), { logAppendTime: true, maxTimestamp: 77 })
  })
})

suite('record times', () => {
  const records = [10, 30, 20].map(timestamp => ({ value: 'some text', timestamp }))
  const expected = [10, 30, 20].map((timestamp, offset) => ({ offset, timestamp }))

  test('are those of the records, folded or not', () => {
    const plain = buildBatch(records, 0)
    assert.deepEqual(recordTimes(plain), expected)
    assert.deepEqual(recordTimes(compressed(plain, 1, gzipSync(plain.subarray(61)))), expected)
  })

  test('are right however far apart they lie', () => {
    const time = fc.integer({ min: 0, max: 4_000_000_000_000 })
    fc.assert(
      fc.property(fc.array(time, { minLength: 1, maxLength: 20 }), times => {
        const batch = buildBatch(
          times.map(timestamp => ({ value: 'ä', timestamp })),
          0
        )
        const read = recordTimes(batch).map(({ timestamp }) => timestamp)
        assert.deepEqual([read, readHeader(batch).maxTimestamp], [times, Math.max(...times)])
      })
    )
  })

  test('of a batch with LogAppendTime are that time', () => {
    const batch = buildBatch(records, 0)
    stampBatch(batch, 99)
    assert.deepEqual(recordTimes(batch), [{ offset: 0, timestamp: 99 }])
  })

  test('of a payload that cannot be read are the header’s, whatever the payload', () => {
    const plain = buildBatch(records, 0)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), fc.uint8Array({ maxLength: 200 }), (codec, bytes) => {
        const garbled = compressed(plain, codec, Buffer.from(bytes))
        assert.equal(readHeader(garbled).codec, codec)
        const times = recordTimes(garbled)
        assert.ok(times.length === 3 || (times.length === 1 && times[0]?.offset === 0 && times[0].timestamp === 30))
      })
    )
  })
})
