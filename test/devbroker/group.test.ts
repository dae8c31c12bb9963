import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { errorCodes } from '../../src/devbroker/error-codes.ts'
import { Group } from '../../src/devbroker/group.ts'
import type { JoinAnswer, JoinRequest, SyncAnswer } from '../../src/devbroker/group-member.ts'

const { NONE, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID } = errorCodes
const protocol = (name: string, says = '') => ({ name, metadata: Buffer.from(says) })

/** Lets everything that is already answered arrive. */
const settle = () => new Promise(resolve => setImmediate(resolve))

function setup(t: TestContext, initialDelayMs = 0) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const group = new Group(initialDelayMs)
  t.after(() => group.disband(errorCodes.COORDINATOR_NOT_AVAILABLE))
  const join = (overrides: Partial<JoinRequest> = {}): Promise<JoinAnswer> =>
    group.join({
      memberId: '',
      instanceId: null,
      clientId: 'client',
      clientHost: '/127.0.0.1',
      sessionTimeoutMs: 1_000,
      rebalanceTimeoutMs: 5_000,
      protocolType: 'consumer',
      protocols: [protocol('range')],
      mayRequireMemberId: false,
      maySkipAssignment: true,
      ...overrides
    })
  const sync = (joined: JoinAnswer, shares: Record<string, string> = {}): Promise<SyncAnswer> =>
    group.sync({
      memberId: joined.memberId,
      instanceId: null,
      generation: joined.generation,
      protocolType: 'consumer',
      protocolName: joined.protocolName,
      assignments: Object.entries(shares).map(([memberId, share]) => ({ memberId, assignment: Buffer.from(share) }))
    })
  const beat = ({ memberId, generation }: JoinAnswer, instanceId: string | null = null) =>
    group.heartbeat({ memberId, generation, instanceId })
  /** A stable group of two: the first leads. */
  const pair = async (first: Partial<JoinRequest> = {}, second: Partial<JoinRequest> = {}) => {
    const alone = await join(first)
    const joining = join(second)
    const again = join({ ...first, memberId: alone.memberId })
    const [leader, follower] = await Promise.all([again, joining])
    const shares = { [leader.memberId]: 'left', [follower.memberId]: 'right' }
    const given = await Promise.all([sync(follower), sync(leader, shares)])
    assert.deepEqual([given.map(({ assignment }) => assignment.toString()), group.state], [['right', 'left'], 'Stable'])
    return { leader, follower }
  }
  return { t, group, join, sync, beat, pair, tick: (ms: number) => t.mock.timers.tick(ms) }
}

suite('classic group', () => {
  test('a first member leads a generation of its own and gets what it assigned', async t => {
    const { group, join, sync, beat } = setup(t)
    const joined = await join()
    assert.partialDeepStrictEqual(joined, {
      error: NONE,
      generation: 1,
      leader: joined.memberId,
      protocolName: 'range'
    })
    assert.deepEqual(
      joined.members.map(({ memberId }) => memberId),
      [joined.memberId]
    )
    assert.equal((await sync(joined, { [joined.memberId]: 'all' })).assignment.toString(), 'all')
    assert.deepEqual([group.state, beat(joined)], ['Stable', NONE])
  })

  test('a new member must come back with the id it is given, and then no sooner than it does the group go on', async t => {
    const { group, join } = setup(t)
    const first = await join()
    const sent = await join({ mayRequireMemberId: true })
    assert.equal(sent.error, errorCodes.MEMBER_ID_REQUIRED)
    const again = join({ memberId: first.memberId, protocols: [protocol('range', 'changed')] })
    await settle()
    assert.equal(group.state, 'PreparingRebalance')
    const [one, two] = await Promise.all([again, join({ memberId: sent.memberId })])
    assert.deepEqual([one.generation, two.generation, two.memberId], [2, 2, sent.memberId])
  })

  test('an id that was given and never used holds the group up for a session, no longer', async t => {
    const { group, join, tick } = setup(t)
    const first = await join()
    await join({ mayRequireMemberId: true })
    const again = join({ memberId: first.memberId, protocols: [protocol('range', 'changed')] })
    tick(1_000)
    assert.deepEqual([(await again).generation, group.state], [2, 'CompletingRebalance'])
  })

  test('a member that joins sends the others to join again, and only the leader learns who is there', async t => {
    const { join, beat, sync } = setup(t)
    const first = await join()
    await sync(first, {})
    const joining = join()
    assert.equal(beat(first), REBALANCE_IN_PROGRESS)
    const again = await join({ memberId: first.memberId })
    const second = await joining
    assert.deepEqual([again.members.length, second.members.length], [2, 0])
    assert.deepEqual([again.generation, second.generation, second.leader], [2, 2, first.memberId])
  })

  test('followers wait for the leader’s assignment, and get nothing if it names them not', async t => {
    const { join, sync } = setup(t)
    const first = await join()
    const joining = join()
    const leader = await join({ memberId: first.memberId })
    const follower = await joining
    const waiting = sync(follower)
    await settle()
    await sync(leader, { [leader.memberId]: 'all' })
    assert.deepEqual((await waiting).assignment, Buffer.alloc(0))
  })

  test('a member that does not join again in time is left behind', async t => {
    const { group, join, beat, tick, pair } = setup(t)
    const { leader, follower } = await pair({ sessionTimeoutMs: 60_000 }, { sessionTimeoutMs: 60_000 })
    const again = join({ memberId: leader.memberId, sessionTimeoutMs: 60_000 })
    assert.equal(beat(follower), REBALANCE_IN_PROGRESS)
    tick(5_000)
    assert.deepEqual([(await again).members.length, beat(follower), group.members.length], [1, UNKNOWN_MEMBER_ID, 1])
  })

  test('a member that falls silent loses its place, and the rest share anew', async t => {
    const { group, beat, tick, pair } = setup(t)
    const { leader, follower } = await pair()
    tick(600)
    assert.equal(beat(leader), NONE)
    tick(600)
    assert.deepEqual(
      [group.members.length, beat(leader), beat(follower)],
      [1, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID]
    )
  })

  test('a member that took the generation but never asks for its share holds up nobody beyond the rebalance timeout', async t => {
    const { group, join, sync, tick } = setup(t)
    const first = await join({ sessionTimeoutMs: 60_000 })
    const joining = join({ sessionTimeoutMs: 60_000 })
    await join({ memberId: first.memberId, sessionTimeoutMs: 60_000 })
    const follower = await joining
    const waiting = sync(follower)
    await settle()
    tick(5_000)
    assert.equal((await waiting).error, REBALANCE_IN_PROGRESS)
    assert.deepEqual(
      group.members.map(({ id }) => id),
      [follower.memberId]
    )
  })

  test('one that leaves sends the others to join again; the last leaves the group empty', async t => {
    const { group, beat, pair } = setup(t)
    const { leader, follower } = await pair()
    assert.equal(group.leave(follower.memberId, null), NONE)
    assert.equal(group.leave(follower.memberId, null), UNKNOWN_MEMBER_ID)
    assert.equal(beat(leader), REBALANCE_IN_PROGRESS)
    assert.equal(group.leave(leader.memberId, null), NONE)
    assert.deepEqual([group.state, group.members.length], ['Empty', 0])
  })

  test('a follower that joins again unchanged gets the same generation; with other metadata, a new one', async t => {
    const { group, join, pair } = setup(t)
    const { follower } = await pair()
    assert.equal((await join({ memberId: follower.memberId })).generation, follower.generation)
    assert.equal(group.state, 'Stable')
    void join({ memberId: follower.memberId, protocols: [protocol('range', 'owns less')] })
    await settle()
    assert.equal(group.state, 'PreparingRebalance')
  })

  test('the protocol is the one that all can do and most want first', async t => {
    const { join } = setup(t)
    const first = await join({ protocols: [protocol('a'), protocol('b'), protocol('c')] })
    const joining = join({ protocols: [protocol('c'), protocol('b')] })
    const third = join({ protocols: [protocol('c'), protocol('b')] })
    const again = await join({ memberId: first.memberId, protocols: [protocol('a'), protocol('b'), protocol('c')] })
    assert.deepEqual([again.protocolName, (await joining).protocolName, (await third).protocolName], ['c', 'c', 'c'])
  })

  test('one that can do nothing the others can is turned away', async t => {
    const { join } = setup(t)
    await join()
    const { INCONSISTENT_GROUP_PROTOCOL } = errorCodes
    assert.equal((await join({ protocols: [protocol('other')] })).error, INCONSISTENT_GROUP_PROTOCOL)
    assert.equal((await join({ protocolType: 'connect' })).error, INCONSISTENT_GROUP_PROTOCOL)
    assert.equal((await join({ protocols: [] })).error, INCONSISTENT_GROUP_PROTOCOL)
  })

  test('an empty group gathers members for its initial delay, and longer while more come', async t => {
    const { group, join, tick } = setup(t, 100)
    const first = join()
    tick(60)
    const second = join()
    tick(60)
    await settle()
    assert.equal(group.state, 'PreparingRebalance')
    tick(100)
    const joined = await Promise.all([first, second])
    assert.deepEqual(
      joined.map(({ generation }) => generation),
      [1, 1]
    )
  })

  test('requests of an unknown member or another generation are refused', async t => {
    const { join, sync, beat } = setup(t)
    const joined = await join()
    assert.equal(beat({ ...joined, memberId: 'nobody' }), UNKNOWN_MEMBER_ID)
    assert.equal(beat({ ...joined, generation: 0 }), ILLEGAL_GENERATION)
    assert.equal((await sync({ ...joined, generation: 0 })).error, ILLEGAL_GENERATION)
    assert.equal((await join({ memberId: 'nobody' })).error, UNKNOWN_MEMBER_ID)
    assert.equal((await sync({ ...joined, protocolName: 'other' })).error, errorCodes.INCONSISTENT_GROUP_PROTOCOL)
  })

  test('a coordinator that goes down answers everybody who waits', async t => {
    const { group, join, pair } = setup(t)
    const { leader } = await pair()
    const waiting = join({ memberId: leader.memberId })
    await settle()
    group.disband(errorCodes.COORDINATOR_NOT_AVAILABLE)
    assert.deepEqual([(await waiting).error, group.state], [errorCodes.COORDINATOR_NOT_AVAILABLE, 'Empty'])
  })
})

suite('commits', () => {
  test('are taken from members of the generation, and from anybody while the group is empty', async t => {
    const { group, join, sync } = setup(t)
    const outsider = { memberId: '', instanceId: null, generation: -1 }
    assert.equal(group.checkCommit(outsider), NONE)
    const joined = await join()
    const member = { memberId: joined.memberId, instanceId: null, generation: joined.generation }
    assert.equal(group.checkCommit(member), REBALANCE_IN_PROGRESS)
    await sync(joined)
    assert.equal(group.checkCommit(member), NONE)
    assert.equal(group.checkCommit(outsider), UNKNOWN_MEMBER_ID)
    assert.equal(group.checkCommit({ ...member, generation: 0 }), ILLEGAL_GENERATION)
  })

  test('are taken while a rebalance is prepared: members commit before they give partitions up', async t => {
    const { group, join, pair } = setup(t)
    const { leader, follower } = await pair()
    void join({ memberId: leader.memberId })
    await settle()
    const claim = { memberId: follower.memberId, instanceId: null, generation: follower.generation }
    assert.deepEqual([group.state, group.checkCommit(claim)], ['PreparingRebalance', NONE])
  })

  test('keep a session alive', async t => {
    const { group, tick, pair } = setup(t)
    const { leader, follower } = await pair()
    const claim = { memberId: leader.memberId, instanceId: null, generation: leader.generation }
    for (let i = 0; i < 3; i++) {
      tick(600)
      group.checkCommit(claim)
    }
    assert.deepEqual(
      group.members.map(({ id }) => id),
      [leader.memberId]
    )
    assert.notEqual(leader.memberId, follower.memberId)
  })
})

suite('static members', () => {
  test('one that restarts takes its old share over without a rebalance, and fences its former self', async t => {
    const { group, join, sync, beat, pair } = setup(t)
    const { follower } = await pair({}, { instanceId: 'one' })
    const back = await join({ instanceId: 'one' })
    assert.notEqual(back.memberId, follower.memberId)
    assert.deepEqual([back.generation, group.state], [follower.generation, 'Stable'])
    assert.equal((await sync(back)).assignment.toString(), 'right')
    assert.equal(beat(follower, 'one'), FENCED_INSTANCE_ID)
    assert.equal((await join({ memberId: follower.memberId, instanceId: 'one' })).error, FENCED_INSTANCE_ID)
  })

  test('a leader that restarts is told to skip the assignment, or, if it cannot be told, that it does not lead', async t => {
    const { join, pair } = setup(t)
    const { leader } = await pair({ instanceId: 'one' })
    const old = await join({ instanceId: 'one', maySkipAssignment: false })
    assert.partialDeepStrictEqual(old, { leader: leader.memberId, skipAssignment: false, members: [] })
    const back = await join({ instanceId: 'one' })
    assert.partialDeepStrictEqual(back, { leader: back.memberId, skipAssignment: true })
    assert.equal(back.members.length, 2)
  })

  test('one that is away keeps its share through a rebalance of the others', async t => {
    const { group, join, tick, pair } = setup(t)
    const { leader } = await pair(
      { sessionTimeoutMs: 60_000 },
      { instanceId: 'one', sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 500 }
    )
    const again = join({ memberId: leader.memberId, sessionTimeoutMs: 60_000 })
    tick(5_000)
    assert.deepEqual([(await again).members.length, group.members.length], [2, 2])
  })

  test('an operator removes one by its instance id alone', async t => {
    const { group, pair } = setup(t)
    await pair({}, { instanceId: 'one' })
    assert.equal(group.leave('', 'other'), UNKNOWN_MEMBER_ID)
    assert.equal(group.leave('somebody', 'one'), FENCED_INSTANCE_ID)
    assert.equal(group.leave('', 'one'), NONE)
    assert.equal(group.members.length, 1)
  })
})
