import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ok } from '../support/fake-invoker.ts'
import { partitionOwners } from '../support/partition-owners.ts'

const filters = ['{"value":{"n":[{"numeric":["<",0]}],"s":["x"]}}', '{"value":{"$or":[{"s":["y"]},{"n":[-1]}]}}']
const tags = { 'millrace:filter-explain': 'on' }

describe('why filters refuse records', () => {
  test('is found out of the first refused record and then of one in a hundred, by pattern and first failing condition', async () => {
    const { own, refusals, counts } = partitionOwners({ filters, tags })
    const owner = own(() => ok)
    // 250 are refused: the samples are the 1st, the 101st and the 201st of them.
    await owner.fetch(500, offset => ({
      value: JSON.stringify(offset % 2 === 1 ? { n: -1, s: 'x' } : { n: offset < 300 ? offset : -2, s: 'z' })
    }))
    await owner.leave()
    assert.equal(counts['FilteredOutEventCount'], 250)
    assert.deepEqual(refusals.total(), {
      records: 3,
      by: [
        { pattern: 0, condition: 'value.n', records: 2 },
        { pattern: 0, condition: 'value.s', records: 1 },
        { pattern: 1, condition: 'value.$or', records: 3 }
      ]
    })
  })

  test('is counted on over blocks, and told with the other counts', async () => {
    const { own, clock, refusals } = partitionOwners({ filters, tags, batchSize: 1000 })
    const owner = own(() => ok)
    await owner.fetch(60, () => ({ value: '{"n":1}' }))
    await clock.advance(1_000)
    assert.equal(refusals.total().records, 1)
    await owner.leave()
    assert.equal(refusals.total().records, 1)
  })

  test('is nobody’s business without the tag', async () => {
    for (const without of [{}, { 'millrace:filter-explain': 'off' }]) {
      const { own, refusals, counts } = partitionOwners({ filters, tags: without })
      const owner = own(() => ok)
      await owner.fetch(10, () => ({ value: '{"n":1}' }))
      await owner.leave()
      assert.equal(counts['FilteredOutEventCount'], 10)
      assert.ok(refusals.isEmpty)
    }
  })
})
