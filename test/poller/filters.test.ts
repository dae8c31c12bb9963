import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { boom, ok } from '../support/fake-invoker.ts'
import { partitionOwners } from '../support/partition-owners.ts'

const even = ['{"value":{"n":[{"numeric":["=",0]}]}}']
const numbered = (offset: number) => ({ value: JSON.stringify({ n: offset % 2 }) })

describe('filters of a mapping (reference 4)', () => {
  test('what no pattern takes is not delivered, and committed past with its batch', async () => {
    const { own, clock, offsets, counts, committed, live } = partitionOwners({ filters: even, batchSize: 3 })
    const owner = own(() => ok)
    await owner.fetch(8, numbered)
    assert.deepEqual(offsets(), [[0, 2, 4], [6]], 'only what passes counts towards BatchSize')
    await clock.advance(2_000)
    await owner.leave()
    assert.equal(committed()?.offset, 8)
    assert.equal(counts['PolledEventCount'], 8)
    assert.equal(counts['FilteredOutEventCount'], 4)
    assert.equal(counts['InvokedEventCount'], 4)
    assert.equal(live.blocks, 0)
  })

  test('a poll in which nothing matches makes no call, but commits', async () => {
    const { own, clock, offsets, committed, live } = partitionOwners({ filters: even })
    const owner = own(() => ok)
    await owner.fetch(5, () => ({ value: '{"n":1}' }))
    assert.equal(live.blocks, 0)
    await clock.advance(1_000)
    await owner.leave()
    assert.deepEqual(offsets(), [])
    assert.equal(committed()?.offset, 5)
  })

  test('a failing batch between filtered records is retried by the next owner as it was, and they are filtered again', async () => {
    const { own, clock, offsets, committed, destination } = partitionOwners({ filters: even, maximumRetryAttempts: 1 })
    const one = own(() => boom)
    await one.fetch(7, numbered)
    await one.leave()
    assert.equal(committed()?.offset, 0)
    const two = own(() => boom)
    await two.fetch(7, numbered)
    await clock.advance(2_000)
    await two.leave()
    assert.deepEqual(offsets(), [
      [0, 2, 4, 6],
      [0, 2, 4, 6]
    ])
    assert.equal(destination.bodies.length, 1)
    assert.equal(committed()?.offset, 7)
  })

  test('a value of another format passes, unless the tag says drop (reference 4.2)', async () => {
    for (const [tags, delivered] of [
      [{}, [[0]]],
      [{ 'millrace:filter-mismatch': 'drop' }, []]
    ] as const) {
      const { own, offsets } = partitionOwners({ filters: even, tags })
      const owner = own(() => ok)
      await owner.fetch(1, () => ({ value: 'plain text' }))
      await owner.leave()
      assert.deepEqual(offsets(), delivered)
    }
  })
})
