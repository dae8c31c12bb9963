import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { newestStarts } from '../../../src/adapters/kafka/newest-records.ts'
import type { OffsetRange, RecordTime } from '../../../src/adapters/kafka/newest-records.ts'

/** Partitions with these records, and how many of them were read. */
function setup(partitions: readonly (readonly RecordTime[])[], ends = partitions.map(endOf)) {
  let readCount = 0
  const bounds = new Map<number, OffsetRange>(ends.map((to, partition) => [partition, { from: 0, to }]))
  const read = (ranges: ReadonlyMap<number, OffsetRange>) => {
    const found = new Map<number, RecordTime[]>()
    for (const [partition, { from, to }] of ranges) {
      const records = partitions[partition]!.filter(({ offset }) => offset >= from && offset < to)
      readCount += records.length
      if (records.length > 0) found.set(partition, records)
    }
    return Promise.resolve(found)
  }
  return {
    readCount: () => readCount,
    async newest(count: number) {
      const starts = await newestStarts(count, bounds, read)
      return partitions.flatMap((records, partition) =>
        records.filter(({ offset }) => offset >= starts.get(partition)!).map(record => ({ partition, ...record }))
      )
    }
  }
}

const endOf = (records: readonly RecordTime[]) => (records.at(-1)?.offset ?? -1) + 1
const timed = (...times: number[]) => times.map((timestampMs, offset) => ({ offset, timestampMs }))

suite('the newest records of a topic', () => {
  test('are chosen by time over all partitions', async () => {
    const { newest } = setup([timed(1, 4, 9), timed(2, 3), timed(5, 6, 7, 8)])
    assert.deepEqual(
      (await newest(4)).map(({ timestampMs }) => timestampMs),
      [9, 6, 7, 8]
    )
  })

  test('are all there are when there are fewer', async () => {
    assert.equal((await setup([timed(1, 2), []]).newest(10)).length, 2)
    assert.equal((await setup([[]]).newest(10)).length, 0)
  })

  test('none are none', async () => {
    const { newest, readCount } = setup([timed(1, 2)])
    assert.deepEqual([await newest(0), readCount()], [[], 0])
  })

  test('lie before holes at the end, as markers of transactions leave them', async () => {
    const { newest } = setup([timed(1, 2, 3)], [500])
    assert.deepEqual(
      (await newest(2)).map(({ offset }) => offset),
      [1, 2]
    )
  })

  const partition = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 50 })), { maxLength: 60 })
    .map(steps => {
      let offset = -1
      return steps.map(([step, timestampMs]) => ({ offset: (offset += step), timestampMs }))
    })

  test('are exactly so many, the last of each partition, whatever times and holes there are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(partition, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 0, max: 200 }),
        async (partitions, count) => {
          const { newest } = setup(partitions)
          const all = partitions.reduce((sum, records) => sum + records.length, 0)
          assert.equal((await newest(count)).length, Math.min(count, all))
        }
      )
    )
  })

  test('where each partition is in the order of time, nothing left out is newer than what was chosen', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(partition, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 50 }),
        async (shuffled, count) => {
          const partitions = shuffled.map(records => {
            const times = records.map(({ timestampMs }) => timestampMs).sort((a, b) => a - b)
            return records.map(({ offset }, index) => ({ offset, timestampMs: times[index]! }))
          })
          const newest = (await setup(partitions).newest(count)).map(({ timestampMs }) => timestampMs)
          const expected = partitions
            .flat()
            .map(({ timestampMs }) => timestampMs)
            .sort((a, b) => b - a)
            .slice(0, count)
          assert.deepEqual(
            newest.sort((a, b) => b - a),
            expected
          )
        }
      )
    )
  })

  test('cost about twice as many records to be found, not the whole topic', async () => {
    const partitions = [0, 1, 2, 3].map(first => timed(...Array.from({ length: 10_000 }, (_, i) => first + i * 4)))
    const { newest, readCount } = setup(partitions)
    assert.equal((await newest(1000)).length, 1000)
    assert.ok(readCount() <= 4000, `${readCount()} read`)
  })
})
