import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { errorCode } from '../../src/adapters/kafka/problems.ts'
import { ClassicGroup, type JoinAnswer } from './classic-group.ts'
import { VirtualTime } from './virtual-time.ts'

function open() {
  const time = new VirtualTime()
  const group = new ClassicGroup(2, { sessionTimeoutMs: 6_000, sticky: true }, time, {
    assigned: () => undefined,
    expired: () => undefined,
    released: () => undefined
  })
  /** What a join is answered, as soon as it is. */
  const join = (owner: string, memberId: string, claims: readonly number[] = [], claimsFrom = -1): JoinAnswer[] => {
    const answers: JoinAnswer[] = []
    group.join(owner, memberId, claims, claimsFrom, 2_000, answer => answers.push(answer))
    return answers
  }
  const pass = (ms: number) => time.run(time.nowMs + ms, () => false)
  return { group, join, pass }
}

describe('the model of a coordinator of classic groups', () => {
  test('gives an id first, and takes what moves from one member a generation before another gets it', () => {
    const { group, join } = open()
    assert.deepEqual(join('a', ''), [{ code: errorCode.memberIdRequired, memberId: 'member-1', generation: -1 }])
    assert.deepEqual(join('a', 'member-1'), [{ code: 0, memberId: 'member-1', generation: 1 }])
    assert.deepEqual(group.sync('member-1', 1).partitions, [0, 1])
    join('b', '')
    const waits = join('b', 'member-2')
    assert.equal(waits.length, 0)
    assert.equal(group.heartbeat('member-1', 1), errorCode.rebalanceInProgress)
    assert.equal(join('a', 'member-1', [0, 1], 1)[0]!.generation, 2)
    assert.equal(waits[0]!.generation, 2)
    assert.deepEqual([group.sync('member-1', 2).partitions, group.sync('member-2', 2).partitions], [[0], []])
    join('a', 'member-1', [0], 2)
    join('b', 'member-2', [], 2)
    assert.deepEqual(group.sync('member-2', 3).partitions, [1])
    assert.equal(group.mayCommit('member-1', 2), errorCode.illegalGeneration)
  })

  test('forgets a rebalance under way when it moves, and keeps the last generation', async () => {
    const { group, join, pass } = open()
    join('a', '')
    join('a', 'member-1')
    join('b', '')
    const waits = join('b', 'member-2')
    group.move(1_000, false)
    assert.deepEqual(waits, [{ code: errorCode.notCoordinator, memberId: '', generation: -1 }])
    await pass(6_900)
    assert.equal(group.heartbeat('member-1', 1), errorCode.none, 'its session began anew')
    assert.equal(group.mayCommit('member-1', 1), errorCode.none)
    assert.equal(join('b', 'member-2')[0]!.code, errorCode.unknownMemberId)
  })

  test('knows a member that had left in a rebalance that was forgotten, until its session runs out', async () => {
    const { group, join, pass } = open()
    join('a', '')
    join('b', '')
    const first = join('a', 'member-1')
    join('b', 'member-2')
    join('a', 'member-1', [0, 1], first[0]!.generation)
    assert.equal(group.leave('member-2'), errorCode.none)
    assert.equal(group.heartbeat('member-2', 2), errorCode.unknownMemberId)
    group.move(0, false)
    assert.equal(group.heartbeat('member-2', 2), errorCode.none)
    await pass(6_000)
    assert.equal(group.heartbeat('member-2', 2), errorCode.unknownMemberId)
  })
})
