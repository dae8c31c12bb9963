import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DevProgress } from '../../../src/app/dev/progress.ts'

const ends = (...of: number[]) => new Map([['orders', new Map(of.map((end, partition) => [partition, end]))]])

function setup() {
  const progress = new DevProgress()
  progress.expect('m', 'orders')
  return {
    progress,
    assigned: (partition: number, startOffset: number) =>
      progress.note({ kind: 'assigned', mapping: 'm', topic: 'orders', partition, startOffset }),
    committed: (partition: number, offset: number) =>
      progress.note({ kind: 'committed', mapping: 'm', offsets: [{ topic: 'orders', partition, offset }] })
  }
}

test('a mapping reads when it has every partition of its topic, and not before the topic is known', () => {
  const { progress, assigned } = setup()
  assert.equal(progress.isReading(new Map()), false)
  assigned(0, 0)
  assert.equal(progress.isReading(ends(0, 0)), false)
  assigned(1, 0)
  assert.equal(progress.isReading(ends(0, 0)), true)
})

test('what lay before the start was never to be read', () => {
  const { progress, assigned } = setup()
  assigned(0, 5)
  assert.equal(progress.hasBegun(ends(5)), false)
  assert.deepEqual(progress.unsettled(ends(5)), [])
})

test('records are settled when they are committed past, also after a partition came anew', () => {
  const { progress, assigned, committed } = setup()
  assigned(0, 0)
  assert.equal(progress.hasBegun(ends(2)), true)
  committed(0, 1)
  assert.deepEqual(progress.unsettled(ends(2)), [{ mapping: 'm', topic: 'orders', partition: 0, records: 1 }])
  assigned(0, 1)
  committed(0, 2)
  assert.deepEqual(progress.unsettled(ends(2)), [])
  assert.equal(progress.hasBegun(ends(2)), true)
})

test('records, calls and what was given up are counted', () => {
  const { progress } = setup()
  const call = { mapping: 'm', requestId: 'r', records: 2, partitions: [] }
  progress.note({
    kind: 'fetched',
    mapping: 'm',
    topic: 'orders',
    partition: 0,
    first: 0,
    last: 2,
    records: 2,
    filteredOut: 1
  })
  progress.note({ kind: 'call-ended', ...call, step: 'again', error: 'x' })
  progress.note({ kind: 'call-ended', ...call, step: 'settle' })
  progress.note({ kind: 'given-up', ...call, condition: 'retries', calls: 1 })
  progress.note({ kind: 'given-up', ...call, condition: 'age', calls: 0, destination: 'file:x' })
  assert.deepEqual(progress.tally, { records: 2, filteredOut: 1, calls: 2, failedCalls: 1, givenUp: 4, delivered: 2 })
})
