import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Cluster } from '../../../src/adapters/kafka/cluster.ts'
import type { CoordinatorFinder } from '../../../src/adapters/kafka/coordinator.ts'
import { Membership } from '../../../src/adapters/kafka/membership.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { RecordingLog } from '../../support/recording-log.ts'

const [sessionTimeoutMs, rebalanceTimeoutMs] = [10_000, 20_000]

function setup() {
  const clock = new FakeClock()
  const drops: string[] = []
  const membership = new Membership(
    {
      groupId: 'readers',
      topic: 'orders',
      instanceId: null,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      revokeTimeoutMs: 10_000,
      metadataMaxAgeMs: 30_000
    },
    {
      // All that a membership asks of them.
      cluster: { drop: (use: string) => void drops.push(use) } as unknown as Cluster,
      coordinator: { forget: () => undefined } as unknown as CoordinatorFinder,
      clock,
      log: new RecordingLog(),
      events: {
        gained: () => undefined,
        revoked: () => Promise.resolve(),
        lost: () => undefined,
        problem: () => undefined
      }
    }
  )
  return { clock, drops, membership }
}

suite('what a member may believe', () => {
  test('is in doubt when nothing was heard for a session, until something is', async () => {
    const { clock, drops, membership } = setup()
    membership.heard(clock.monotonicMs())
    await clock.advance(sessionTimeoutMs - 1)
    assert.equal(membership.unheard, false)
    await clock.advance(1)
    assert.deepEqual([membership.unheard, drops], [true, ['group']])
    membership.heard(clock.monotonicMs())
    assert.equal(membership.unheard, false)
  })

  test('a join may wait for the others as long as they have; one that is tried again and again gets no more time', async () => {
    const { clock, drops, membership } = setup()
    membership.heard(clock.monotonicMs())
    await clock.advance(1_000)
    for (let atMs = 1_000; atMs < sessionTimeoutMs + rebalanceTimeoutMs; atMs += 1_000) {
      membership.joining()
      assert.equal(membership.unheard, false, `after ${atMs} ms`)
      await clock.advance(1_000)
    }
    assert.equal(membership.unheard, true)
    // A connection on which the next join waits is left alone.
    membership.joining()
    await clock.advance(sessionTimeoutMs + rebalanceTimeoutMs)
    assert.deepEqual([membership.unheard, drops], [true, ['group']])
  })

  test('whose join was answered, and whose next request sends it back to join, has been heard', async () => {
    const { clock, drops, membership } = setup()
    membership.welcomed(clock.monotonicMs())
    await clock.advance(1_000)
    membership.joining()
    await clock.advance(sessionTimeoutMs + rebalanceTimeoutMs - 1_001)
    assert.deepEqual([membership.unheard, drops], [false, []])
    await clock.advance(1)
    assert.deepEqual([membership.unheard, drops], [true, ['group']])
  })
})
