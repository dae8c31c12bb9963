import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Reader, readRecordsBatches } from '@platformatic/kafka'
import fc from 'fast-check'
import { column } from '../../../src/core/record.ts'
import type { Block } from '../../../src/core/record.ts'
import { crc32c } from '../../../src/adapters/kafka/crc32c.ts'
import { CorruptBatch } from '../../../src/adapters/kafka/problems.ts'
import { BatchReader, readBatchHeader } from '../../../src/adapters/kafka/record-batch.ts'
import type { AbortedTransaction } from '../../../src/adapters/kafka/fetch-response.ts'
import { batchOf, rewritten, valued } from './batches.ts'
import type { Fields } from './batches.ts'

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

const attributes = (set: number) => (batch: Buffer) => void batch.writeInt16BE(batch.readInt16BE(21) | set, 21)

/** Control record: key is version and type. */
function marker(type: 'abort' | 'commit', producerId: number, baseOffset: number): Buffer {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1])
  return transactional(
    rewritten(batchOf([{ key, value: Buffer.alloc(6) }], 'none', baseOffset), attributes(32)),
    producerId
  )
}

const transactional = (batch: Buffer, producerId: number): Buffer =>
  rewritten(batch, copy => {
    attributes(16)(copy)
    copy.writeBigInt64BE(BigInt(producerId), 43)
  })

function readAll(bytes: Buffer, fetchOffset = 0, aborted: readonly AbortedTransaction[] = []) {
  const held = { retained: 0, released: 0 }
  const holder = { retain: () => void held.retained++, release: () => void held.released++ }
  const reader = new BatchReader(bytes, { topic: 't', partition: 3, fetchOffset }, aborted, holder)
  const batches: { nextOffset: number; block?: Block }[] = []
  for (let batch = reader.next(); batch !== undefined; batch = reader.next()) batches.push(batch)
  return { batches, blocks: batches.flatMap(each => each.block ?? []), held }
}

function recordsOf(block: Block) {
  return Array.from({ length: block.count }, (_, index) => {
    const row = index * column.stride
    const slice = (from: number, to: number) => {
      const start = block.positions[row + from]!
      return start < 0 ? null : Buffer.from(block.bytes.subarray(start, block.positions[row + to]))
    }
    return {
      offset: block.offsets[index]!,
      timestamp: block.timestamps[index]!,
      key: slice(column.keyStart, column.keyEnd),
      value: slice(column.valueStart, column.valueEnd),
      headerBytes: block.positions[row + column.end]! - block.positions[row + column.headers]!
    }
  })
}

/** What the library reads from the same bytes. */
function libraryRecords(bytes: Buffer) {
  return readRecordsBatches(Reader.from(Buffer.from(bytes))).flatMap(batch =>
    batch.records.map(record => ({
      offset: Number(batch.firstOffset) + record.offsetDelta,
      timestamp: Number(batch.firstTimestamp + record.timestampDelta),
      key: record.key,
      value: record.value,
      headers: record.headers.length
    }))
  )
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map(each => Buffer.from(each))
const maybe = (maxLength: number) => fc.option(bytes(maxLength), { nil: undefined })
const aRecord = fc
  .record({
    key: maybe(40),
    value: maybe(300),
    timestamp: fc.integer({ min: 0, max: 2 ** 41 }).map(BigInt),
    headers: fc.array(fc.tuple(bytes(10), bytes(30)), { maxLength: 3 }).map(entries => new Map(entries))
  })
  .map(({ key, value, ...rest }) => ({
    ...rest,
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value })
  }))
const someBatches = fc.array(
  fc.record({ records: fc.array(aRecord, { minLength: 1, maxLength: 20 }), codec: fc.constantFrom(...codecs) }),
  { minLength: 1, maxLength: 4 }
)

function lay(batches: readonly { records: readonly Fields[]; codec: (typeof codecs)[number] }[]): Buffer {
  let offset = 0
  return Buffer.concat(
    batches.map(({ records, codec }) => {
      const batch = batchOf(records, codec, offset)
      offset += records.length
      return batch
    })
  )
}

suite('decoding record batches', () => {
  test('reads what the library reads, whatever the codec', () => {
    fc.assert(
      fc.property(someBatches, batches => {
        const laid = lay(batches)
        const ours = readAll(laid).blocks.flatMap(recordsOf)
        const theirs = libraryRecords(laid)
        assert.deepEqual(
          ours.map(({ headerBytes: _, ...record }) => record),
          theirs.map(({ headers: _, ...record }) => record)
        )
        assert.ok(ours.every(({ headerBytes }, index) => headerBytes === 1 || theirs[index]!.headers > 0))
      }),
      { numRuns: 150 }
    )
  })

  test('hostile bytes end in CorruptBatch or nothing, and what lies behind the end is never read', () => {
    fc.assert(
      fc.property(
        someBatches,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        (batches, changes, cut) => {
          const laid = lay(batches)
          for (const [at, byte] of changes) laid[at % laid.length] = byte
          // Also with a checksum that is right: then the decoder itself has to notice.
          const header = attempt(() => readBatchHeader(laid, 0))
          if (header !== undefined) laid.writeUInt32BE(crc32c(laid.subarray(21, header.end)), 17)
          const short = laid.subarray(0, cut % (laid.length + 1))
          for (const input of [laid, short]) {
            const padded = Buffer.concat([input, Buffer.alloc(64, 0x55)]).subarray(0, input.length)
            const fromPadded = outcome(() => readAll(padded))
            assert.deepEqual(
              fromPadded,
              outcome(() => readAll(Buffer.from(input)))
            )
          }
        }
      ),
      { numRuns: 400 }
    )
  })

  test('records below the fetch offset are left out, and a batch wholly below it is passed over', () => {
    const laid = lay([
      { records: ['a', 'b'].map(valued), codec: 'none' },
      { records: ['c', 'd', 'e'].map(valued), codec: 'none' }
    ])
    const { batches, held } = readAll(laid, 3)
    assert.deepEqual(
      batches.map(({ nextOffset, block }) => [nextOffset, block && recordsOf(block).map(each => each.offset)]),
      [
        [2, undefined],
        [5, [3, 4]]
      ]
    )
    assert.equal(held.retained, 1)
  })

  test('a block holds its response until its last record is finished; an inflated one holds nothing', () => {
    const { blocks, held } = readAll(batchOf(['a', 'b'].map(valued)))
    blocks[0]!.finish(1)
    assert.deepEqual(held, { retained: 1, released: 0 })
    blocks[0]!.finish(1)
    assert.deepEqual(held, { retained: 1, released: 1 })
    assert.equal(readAll(batchOf(['a', 'b'].map(valued), 'gzip')).held.retained, 0)
  })

  test('a cut off last batch is left for the next fetch', () => {
    const whole = batchOf(['a'].map(valued))
    const next = batchOf(['b'].map(valued), 'none', 1)
    for (const cut of [0, 5, 16, 17, 40, next.length - 1]) {
      const { batches } = readAll(Buffer.concat([whole, next.subarray(0, cut)]))
      assert.deepEqual(
        batches.map(each => each.nextOffset),
        [1]
      )
    }
  })

  test('a wrong checksum is corruption that names the offset', () => {
    const batch = batchOf(['abc'].map(valued), 'none', 77)
    batch[batch.length - 3]! ^= 1
    assert.throws(() => readAll(batch), { name: 'CorruptBatch', message: /offset 77 has checksum/ })
  })

  test('the old message formats are told by name', () => {
    const batch = batchOf(['a'].map(valued))
    batch[16] = 1
    assert.throws(() => readAll(batch), /old message format 1/)
  })

  test('a claim of more records than bytes is refused before anything is allocated', () => {
    const batch = rewritten(batchOf(['a'].map(valued)), copy => void copy.writeInt32BE(0x7fffffff, 57))
    assert.throws(() => readAll(batch), /claims 2147483647 records/)
  })

  test('what inflates beyond the limit is refused, whatever the codec', () => {
    const bomb = [{ value: Buffer.alloc(65 << 20) }]
    for (const codec of codecs.slice(1))
      assert.throws(() => readAll(batchOf(bomb, codec)), { name: 'CorruptBatch', message: /cannot be inflated/ }, codec)
  })

  test('LogAppendTime dates every record with the batch', () => {
    const batch = rewritten(batchOf([{ value: Buffer.from('a'), timestamp: 5n }, valued('b')]), copy => {
      attributes(8)(copy)
      copy.writeBigInt64BE(1234n, 35)
    })
    const [block] = readAll(batch).blocks
    assert.equal(block!.timestampType, 'LOG_APPEND_TIME')
    assert.deepEqual([...block!.timestamps], [1234, 1234])
  })

  test('aborted transactions are dropped up to their marker, and nothing else is', () => {
    const laid = Buffer.concat([
      transactional(batchOf([valued('aborted 7')], 'none', 0), 7),
      transactional(batchOf([valued('committed 8')], 'none', 1), 8),
      batchOf([valued('plain')], 'none', 2),
      marker('abort', 7, 3),
      transactional(batchOf([valued('committed 7')], 'none', 4), 7),
      marker('commit', 7, 5),
      transactional(batchOf([valued('aborted again 7')], 'none', 6), 7),
      marker('commit', 8, 7)
    ])
    const { batches, blocks } = readAll(laid, 0, [
      { producerId: 7, firstOffset: 6 },
      { producerId: 7, firstOffset: 0 }
    ])
    assert.deepEqual(
      blocks.flatMap(recordsOf).map(each => each.value?.toString()),
      ['committed 8', 'plain', 'committed 7']
    )
    assert.deepEqual(
      batches.map(each => each.nextOffset),
      [1, 2, 3, 4, 5, 6, 7, 8]
    )
  })
})

function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}

/** The records, or the corruption; any other error fails the test. */
function outcome(run: () => { blocks: readonly Block[] }): unknown {
  try {
    return run().blocks.flatMap(recordsOf)
  } catch (error) {
    assert.ok(error instanceof CorruptBatch, String(error))
    return error.message
  }
}
