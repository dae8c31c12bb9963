import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../../src/devbroker/crc32c.ts'
import { errorCodes, KafkaError } from '../../src/devbroker/error-codes.ts'
import type { ErrorName } from '../../src/devbroker/error-codes.ts'
import { LogBudget } from '../../src/devbroker/log-budget.ts'
import { PartitionLog } from '../../src/devbroker/partition-log.ts'
import type { LogLimits } from '../../src/devbroker/partition-log.ts'
import { buildBatch, readHeader } from '../../src/devbroker/record-batch.ts'

const refusedWith = (name: ErrorName) => (error: unknown) =>
  error instanceof KafkaError && error.code === errorCodes[name]

function batchOf(records: number, timestamp = 1_000): Buffer {
  return buildBatch(
    Array.from({ length: records }, () => ({ value: 'value' })),
    timestamp
  )
}

function fromProducer(records: number, producerId: number, epoch: number, sequence: number): Buffer {
  const batch = batchOf(records)
  batch.writeBigInt64BE(BigInt(producerId), 43)
  batch.writeInt16BE(epoch, 51)
  batch.writeInt32BE(sequence, 53)
  batch.writeUInt32BE(crc32c(batch, 21), 17)
  return batch
}

function setup(overrides: Partial<LogLimits> = {}, budget = new LogBudget(1_000_000)) {
  const limits = { maxMessageBytes: 100_000, retentionBytes: -1, retentionMs: -1, logAppendTime: false, ...overrides }
  const log = new PartitionLog(budget, () => limits)
  const offsetsFrom = (offset: number, maxBytes = 1_000_000) =>
    log.read(offset, maxBytes, true).batches.map(batch => readHeader(batch).baseOffset)
  return { log, budget, offsetsFrom }
}

suite('partition log', () => {
  test('gives batches their offsets in order', () => {
    const { log, offsetsFrom } = setup()
    assert.deepEqual([log.append(batchOf(3), 0).baseOffset, log.append(batchOf(2), 0).baseOffset], [0, 3])
    assert.deepEqual([log.startOffset, log.endOffset], [0, 5])
    assert.deepEqual(offsetsFrom(0), [0, 3])
  })

  test('a read in the middle of a batch begins with the whole batch; at the end it finds nothing', () => {
    const { log, offsetsFrom } = setup()
    for (const records of [3, 4, 2]) log.append(batchOf(records), 0)
    assert.deepEqual(offsetsFrom(4), [3, 7])
    assert.deepEqual(offsetsFrom(9), [])
  })

  test('a read outside the log is out of range', () => {
    const { log } = setup()
    log.append(batchOf(3), 0)
    log.deleteBefore(2)
    for (const offset of [-1, 1, 4]) assert.throws(() => log.read(offset, 99, true), refusedWith('OFFSET_OUT_OF_RANGE'))
  })

  test('a read keeps to its bytes, but for a first batch that must get through', () => {
    const { log, offsetsFrom } = setup()
    const size = batchOf(1).length
    for (let i = 0; i < 5; i++) log.append(batchOf(1), 0)
    assert.deepEqual(offsetsFrom(0, size * 2 + 1), [0, 1])
    assert.deepEqual(offsetsFrom(0, 1), [0])
    assert.deepEqual(log.read(0, 1, false).batches, [])
  })

  test('a batch too large for the topic is refused and changes nothing', () => {
    const { log } = setup({ maxMessageBytes: 200 })
    assert.throws(() => log.append(batchOf(50), 0), refusedWith('MESSAGE_TOO_LARGE'))
    assert.equal(log.endOffset, 0)
  })

  test('deleted records leave their batch readable until its last one goes', () => {
    const { log, offsetsFrom } = setup()
    log.append(batchOf(3), 0)
    log.append(batchOf(3), 0)
    log.deleteBefore(2)
    assert.deepEqual([log.startOffset, offsetsFrom(2)], [2, [0, 3]])
    log.deleteBefore(3)
    assert.deepEqual([log.bytes, offsetsFrom(3)], [batchOf(3).length, [3]])
    log.deleteBefore(1)
    assert.equal(log.startOffset, 3)
    assert.throws(() => log.deleteBefore(7), refusedWith('OFFSET_OUT_OF_RANGE'))
  })

  test('the topic’s own limits let the oldest go', () => {
    const bySize = setup({ retentionBytes: batchOf(1).length * 2 })
    for (let i = 0; i < 5; i++) bySize.log.append(batchOf(1), 0)
    assert.equal(bySize.log.startOffset, 3)
    const byAge = setup({ retentionMs: 100 })
    for (const timestamp of [1_000, 1_050, 1_200]) byAge.log.append(batchOf(1, timestamp), 1_110)
    assert.equal(byAge.log.startOffset, 1)
    byAge.log.expire(1_500)
    assert.deepEqual([byAge.log.startOffset, byAge.log.endOffset], [3, 3])
  })

  test('the broker’s limit lets the oldest of all logs go, and never the newest', () => {
    const size = batchOf(1).length
    const budget = new LogBudget(size * 3)
    const [a, b] = [setup({}, budget).log, setup({}, budget).log]
    for (const log of [a, b, a, b]) log.append(batchOf(1), 0)
    assert.deepEqual([a.startOffset, b.startOffset, budget.bytes], [1, 0, size * 3])
    a.append(batchOf(100), 0)
    assert.deepEqual([a.startOffset, a.endOffset, b.startOffset, b.endOffset], [2, 102, 2, 2])
  })

  test('whatever is appended and deleted, bytes are what the held batches have, and within the limit', () => {
    const size = batchOf(1).length
    const step = fc.record({ log: fc.nat({ max: 2 }), delete: fc.nat({ max: 9 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const budget = new LogBudget(size * 10)
        const logs = [0, 1, 2].map(() => setup({}, budget).log)
        for (const { log: index, delete: chance } of steps) {
          const log = logs[index]!
          if (chance === 0) log.deleteBefore(log.endOffset)
          else if (chance === 1) log.clear()
          else log.append(batchOf(1), 0)
          const held = logs.map(one => one.read(one.startOffset, Infinity, true).bytes)
          assert.deepEqual(
            logs.map(one => one.bytes),
            held
          )
          assert.equal(
            budget.bytes,
            held.reduce((sum, bytes) => sum + bytes, 0)
          )
          assert.ok(budget.bytes <= size * 10)
        }
      })
    )
  })

  test('a small batch does not keep the large request alive that it came in', () => {
    const { log } = setup()
    const request = Buffer.alloc(1_000_000)
    const length = batchOf(1).copy(request, 500)
    log.append(request.subarray(500, 500 + length), 0)
    const [stored] = log.read(0, 1, true).batches
    assert.equal(stored?.buffer.byteLength, length)
  })

  test('a log with LogAppendTime dates its batches itself', () => {
    const { log } = setup({ logAppendTime: true })
    assert.equal(log.append(batchOf(2, 5), 700).logAppendTime, 700)
    const [stored] = log.read(0, 1, true).batches
    assert.partialDeepStrictEqual(readHeader(stored!), { logAppendTime: true, maxTimestamp: 700 })
    assert.deepEqual(log.firstSince(600), { offset: 0, timestamp: 700 })
  })

  test('finds the first record since a time, and the latest by time', () => {
    const { log } = setup()
    const dated = (...times: number[]) =>
      log.append(
        buildBatch(
          times.map(timestamp => ({ value: 'v', timestamp })),
          0
        ),
        0
      )
    assert.equal(log.latestByTime(), undefined)
    dated(10, 40, 20)
    dated(15, 30)
    assert.deepEqual(log.firstSince(0), { offset: 0, timestamp: 10 })
    assert.deepEqual(log.firstSince(25), { offset: 1, timestamp: 40 })
    assert.equal(log.firstSince(41), undefined)
    assert.deepEqual(log.latestByTime(), { offset: 1, timestamp: 40 })
    log.deleteBefore(2)
    assert.deepEqual(log.firstSince(15), { offset: 2, timestamp: 20 })
  })

  test('tells its listeners of every append until they no longer listen', () => {
    const { log } = setup()
    const seen: number[] = []
    const stop = log.onChange(() => seen.push(log.endOffset))
    log.append(batchOf(1), 0)
    log.append(batchOf(1), 0)
    stop()
    log.append(batchOf(1), 0)
    assert.deepEqual(seen, [1, 2])
  })
})

suite('idempotent producers', () => {
  test('a batch sent again is stored once and answered with its first offset', () => {
    const { log } = setup()
    log.append(fromProducer(2, 7, 0, 0), 0)
    log.append(fromProducer(3, 7, 0, 2), 0)
    assert.equal(log.append(fromProducer(2, 7, 0, 0), 0).baseOffset, 0)
    assert.equal(log.append(fromProducer(3, 7, 0, 2), 0).baseOffset, 2)
    assert.equal(log.endOffset, 5)
  })

  test('a gap, and a repetition too old to be remembered, are out of order', () => {
    const { log } = setup()
    for (let sequence = 0; sequence < 6; sequence++) log.append(fromProducer(1, 7, 0, sequence), 0)
    assert.throws(() => log.append(fromProducer(1, 7, 0, 7), 0), refusedWith('OUT_OF_ORDER_SEQUENCE_NUMBER'))
    assert.throws(() => log.append(fromProducer(1, 7, 0, 0), 0), refusedWith('OUT_OF_ORDER_SEQUENCE_NUMBER'))
    assert.equal(log.append(fromProducer(1, 7, 0, 1), 0).baseOffset, 1)
  })

  test('a new epoch begins at sequence 0, and fences the one before', () => {
    const { log } = setup()
    log.append(fromProducer(1, 7, 0, 0), 0)
    assert.throws(() => log.append(fromProducer(1, 7, 1, 5), 0), refusedWith('OUT_OF_ORDER_SEQUENCE_NUMBER'))
    log.append(fromProducer(1, 7, 1, 0), 0)
    assert.throws(() => log.append(fromProducer(1, 7, 0, 1), 0), refusedWith('INVALID_PRODUCER_EPOCH'))
  })

  test('a producer that is not known begins where it likes, and sequences wrap after 31 bits', () => {
    const { log } = setup()
    log.append(fromProducer(2, 7, 0, 0x7fff_fffe), 0)
    assert.equal(log.append(fromProducer(1, 7, 0, 0), 0).baseOffset, 2)
  })
})
