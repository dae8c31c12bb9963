import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { partitionerSample } from './partitions-by-java.ts'
import { murmur2, Partitioner } from '../../../src/adapters/kafka/partitioner.ts'
import { encodeBatch, mostRecordBytes, sequenceAfter, stampBatch } from '../../../src/adapters/kafka/produce-batch.ts'
import type { NewRecord } from '../../../src/adapters/kafka/produce-batch.ts'
import { reactToProduce, refusal } from '../../../src/adapters/kafka/produce-failure.ts'
import { errorName } from '../../../src/adapters/kafka/problems.ts'
import { BatchReader } from '../../../src/adapters/kafka/record-batch.ts'
import { readHeader } from '../../../src/devbroker/record-batch.ts'
import { takeRecords } from './writing-world.ts'

const unheld = { retain: () => undefined, release: () => undefined }

function decode(batch: Buffer) {
  const decoded = new BatchReader(batch, { topic: 't', partition: 0, fetchOffset: 0 }, [], unheld).next()
  return takeRecords(decoded!.block!)
}

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map(each => Buffer.from(each)))
const record: fc.Arbitrary<NewRecord> = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.array(fc.tuple(fc.string({ maxLength: 20 }), bytes), { maxLength: 4 }),
  timestampMs: fc.integer({ min: 0, max: 2 ** 45 })
})

suite('a record batch of ours', () => {
  test('is read back as it was written, whatever it holds', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 40 }), records => {
        const expected = records.map(({ key, value, headers, timestampMs }, offset) => ({
          partition: 0,
          offset,
          timestampMs,
          key: key === null ? null : key.toString(),
          value: value === null ? null : value.toString(),
          headers: headers.map(([name, value]) => [name, value === null ? null : value.toString()])
        }))
        assert.deepEqual(decode(encodeBatch(records)), expected)
      })
    )
  })

  test('takes no more than what was reckoned for its records', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 40 }), records => {
        const most = records.reduce((sum, each) => sum + mostRecordBytes(each), 61)
        assert.ok(encodeBatch(records).length <= most)
      })
    )
  })

  test('says who wrote it, with a checksum that fits', () => {
    const batch = encodeBatch([{ key: null, value: Buffer.from('v'), headers: [], timestampMs: 7 }])
    stampBatch(batch, { id: 9n, epoch: 3 }, 77)
    assert.partialDeepStrictEqual(readHeader(batch), { producerId: 9, producerEpoch: 3, baseSequence: 77 })
    assert.equal(decode(batch).length, 1)
  })

  test('sequences begin again behind 2^31 - 1', () => {
    assert.equal(sequenceAfter(0x7fff_fffe, 3), 1)
  })
})

suite('the partition of a record', () => {
  for (const { key, hash } of partitionerSample) {
    test(`murmur2 of ${JSON.stringify(key)} is ${hash}, as in Kafka`, () => {
      assert.equal(murmur2(Buffer.from(key)), hash)
    })
  }

  test('an empty key is a key: its records lie together', () => {
    const partitioner = new Partitioner(0)
    const chosen = [1, 2, 3].map(() => partitioner.choose(Buffer.alloc(0), 7, [0, 1, 2, 3, 4, 5, 6]))
    assert.equal(new Set(chosen).size, 1)
  })

  test('records without a key take turns over the partitions that have a leader', () => {
    const partitioner = new Partitioner(0)
    assert.deepEqual(
      [1, 2, 3, 4].map(() => partitioner.choose(null, 4, [1, 3])),
      [1, 3, 1, 3]
    )
  })

  test('without any leader they take turns over all', () => {
    const partitioner = new Partitioner(0)
    assert.deepEqual(
      [1, 2, 3].map(() => partitioner.choose(null, 2, [])),
      [0, 1, 0]
    )
  })
})

suite('what follows from a refused batch', () => {
  const table = [
    [0, 'taken'],
    [46, 'taken'],
    [3, 'elsewhere'],
    [6, 'elsewhere'],
    [56, 'elsewhere'],
    [2, 'again'],
    [7, 'again'],
    [19, 'again'],
    [20, 'again'],
    [-1, 'again'],
    [45, 'renew'],
    [47, 'renew'],
    [59, 'renew'],
    [90, 'renew'],
    [10, 'smaller'],
    [87, 'smaller'],
    [29, 'refused'],
    [17, 'refused'],
    [44, 'refused'],
    [4711, 'refused']
  ] as const
  for (const [code, reaction] of table)
    test(`${errorName(code)}: ${reaction}`, () => assert.equal(reactToProduce(code), reaction))

  test('a refusal names topic, cluster, what Kafka said and what would do', () => {
    const { kind, message } = refusal('dlq', 'b1:9092', 10, '', 2_000_000)
    assert.equal(kind, 'too-large')
    assert.match(message, /2000000 bytes.*topic dlq on b1:9092.*MESSAGE_TOO_LARGE.*max\.message\.bytes/)
    assert.match(refusal('dlq', 'b1:9092', 29, '').message, /topic dlq .*TOPIC_AUTHORIZATION_FAILED.*Write/)
    assert.match(refusal('dlq', 'b1:9092', 44, 'not on my watch').message, /POLICY_VIOLATION, not on my watch/)
  })
})
