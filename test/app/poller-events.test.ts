import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardEvents } from '../../src/app/poller-events.ts'
import type { PollerEvent } from '../../src/ports/poller-event.ts'
import { boom, ok } from '../support/fake-invoker.ts'
import { partitionOwners } from '../support/partition-owners.ts'

// Once, as in a thread: there is no way back.
const heard: PollerEvent[] = []
forwardEvents(event => heard.push(event))

/** What was heard since it was asked last. */
const take = () => heard.splice(0)
const kindsOf = (events: readonly PollerEvent[]) => events.map(({ kind }) => kind)

test('a record is told of from its partition to its commit', async () => {
  take()
  const { own } = partitionOwners({})
  const owner = own(() => ok)
  await owner.fetch(3)
  await owner.leave()
  const events = take()
  assert.deepEqual(kindsOf(events), ['assigned', 'fetched', 'call-started', 'call-ended', 'committed', 'released'])
  const [assigned, fetched, started, ended] = events
  const range = { topic: 'orders', partition: 0, first: 0, last: 2 }
  assert.equal(assigned?.kind === 'assigned' && assigned.startOffset, 0)
  const { mapping } = fetched!
  assert.deepEqual(fetched, { kind: 'fetched', mapping, ...range, records: 3, filteredOut: 0 })
  const call = { mapping, requestId: 'request-1', records: 3, partitions: [range] }
  assert.deepEqual(started, { kind: 'call-started', ...call })
  assert.deepEqual(ended, { kind: 'call-ended', ...call, step: 'settle' })
})

test('a failure is told with what follows: a split, another try, giving up and who took the records', async () => {
  take()
  const { own, clock } = partitionOwners({ maximumRetryAttempts: 1, bisectBatchOnFunctionError: true })
  const owner = own(({ event }) => (event.records['orders-0']![0]!.offset === 0 ? boom : ok))
  await owner.fetch(2)
  await clock.advance(10_000)
  await owner.leave()
  const steps = take().flatMap((event): unknown[] =>
    event.kind === 'call-ended'
      ? [[event.step, event.records, event.failures, event.waitMs === undefined]]
      : event.kind === 'given-up'
        ? [[event.kind, event.records, event.calls, event.destination !== undefined]]
        : []
  )
  assert.deepEqual(steps, [
    ['split', 2, undefined, true],
    ['again', 1, 1, false],
    ['discard', 1, 2, true],
    ['given-up', 1, 2, true],
    ['settle', 1, undefined, true]
  ])
})
