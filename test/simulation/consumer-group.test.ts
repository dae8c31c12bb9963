import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { errorCode } from '../../src/adapters/kafka/problems.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { VirtualTime } from './virtual-time.ts'

/** Two partitions, and who was told what. */
function open(settings: { readonly assignmentDelayMs?: number } = {}) {
  const time = new VirtualTime()
  const events: string[] = []
  const group = new ConsumerGroup(
    2,
    {
      sessionTimeoutMs: 6_000,
      sticky: true,
      heartbeatIntervalMs: 1_000,
      assignmentDelayMs: 0,
      patienceMs: 0,
      ...settings
    },
    time,
    {
      assigned: (owner, partitions) => events.push(`${owner} gets ${partitions.join()}`),
      expired: () => undefined,
      released: (owner, partitions) => {
        if (partitions.length > 0) events.push(`${owner} lets go of ${partitions.join()}`)
      }
    }
  )
  const beat = (owner: string, epoch: number, owned: readonly number[]) =>
    group.heartbeat({ owner, memberId: owner, epoch, rebalanceTimeoutMs: 2_000, owned })
  const pass = (ms: number) => time.run(time.nowMs + ms, () => false)
  return { group, events, beat, pass }
}

describe("the model of a coordinator of KIP-848's groups", () => {
  test('gives a partition to another only when its owner has said that it is gone', () => {
    const { beat, events } = open()
    assert.deepEqual(beat('a', 0, []), { code: 0, epoch: 1, assigned: [0, 1] })
    assert.deepEqual(beat('b', 0, []), { code: 0, epoch: 2, assigned: [] })
    assert.deepEqual(beat('a', 1, [0, 1]), { code: 0, epoch: 1, assigned: [0] }, 'its epoch waits')
    assert.deepEqual(beat('b', 2, []).assigned, [])
    assert.deepEqual(beat('a', 1, [0, 1]).epoch, 1, 'it is not done yet')
    assert.deepEqual(beat('a', 1, [0]), { code: 0, epoch: 2, assigned: [0] })
    assert.deepEqual(beat('b', 2, []).assigned, [1])
    assert.deepEqual(events, ['a gets 0,1', 'a lets go of 1', 'b gets 1'])
  })

  test('takes commits at the present epoch alone', () => {
    const { beat, group } = open()
    beat('a', 0, [])
    beat('b', 0, [])
    beat('a', 1, [0, 1])
    assert.equal(group.mayCommit('a', 1), errorCode.none, 'while it gives up')
    beat('a', 1, [0])
    assert.equal(group.mayCommit('a', 1), errorCode.staleMemberEpoch)
    assert.equal(group.mayCommit('a', 2), errorCode.none)
    assert.equal(group.mayCommit('c', 2), errorCode.unknownMemberId)
  })

  test('knows a member again whose answer was lost, and fences what is older', () => {
    const { beat } = open()
    beat('a', 0, [])
    beat('b', 0, [])
    beat('a', 1, [0, 1])
    beat('a', 1, [0])
    assert.equal(beat('a', 1, [0]).epoch, 2)
    assert.equal(beat('a', 1, [0, 1]).code, errorCode.fencedMemberEpoch, 'it says that it owns what has gone')
    assert.equal(beat('a', 0, []).code, errorCode.fencedMemberEpoch)
  })

  test('sends away who is not heard for a session, and who does not give up in time', async () => {
    const { beat, pass } = open()
    beat('a', 0, [])
    await pass(5_999)
    assert.equal(beat('a', 1, [0, 1]).code, errorCode.none)
    beat('b', 0, [])
    beat('a', 1, [0, 1])
    await pass(1_000)
    assert.equal(beat('a', 1, [0, 1]).code, errorCode.none)
    await pass(1_000)
    assert.equal(beat('a', 1, [0, 1]).code, errorCode.unknownMemberId)
    assert.deepEqual(beat('b', 2, []).assigned, [0, 1])
    await pass(6_000)
    assert.equal(beat('b', 3, [0, 1]).code, errorCode.unknownMemberId)
  })

  test('keeps members, epochs and assignments when it moves, and begins sessions anew', async () => {
    const { beat, group, pass } = open()
    beat('a', 0, [])
    await pass(5_000)
    group.move(8_000)
    await pass(8_000)
    assert.deepEqual(beat('a', 1, [0, 1]), { code: 0, epoch: 1, assigned: [0, 1] })
  })

  test('gathers changes before it makes a target of them', async () => {
    const { beat, pass } = open({ assignmentDelayMs: 500 })
    beat('a', 0, [])
    assert.deepEqual(beat('b', 0, []), { code: 0, epoch: 1, assigned: [] })
    assert.deepEqual(beat('a', 1, [0, 1]).assigned, [0, 1])
    await pass(500)
    assert.deepEqual(beat('a', 1, [0, 1]).assigned, [0])
  })
})
