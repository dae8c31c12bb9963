import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { ConsumerGroup } from '../../src/devbroker/consumer-group.ts'
import type { HeartbeatAnswer } from '../../src/devbroker/consumer-group.ts'
import type { ConsumerHeartbeat } from '../../src/devbroker/consumer-group-member.ts'
import { errorCodes, KafkaError } from '../../src/devbroker/error-codes.ts'
import type { ErrorName } from '../../src/devbroker/error-codes.ts'
import { Topics } from '../../src/devbroker/topics.ts'
import { assignUniformly } from '../../src/devbroker/uniform-assignor.ts'

const sessionTimeoutMs = 1000
const rebalanceTimeoutMs = 400

function setup(t: TestContext, partitions = 4) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const topics = new Topics(1 << 20)
  const topic = topics.create('orders', partitions, new Map())
  const group = new ConsumerGroup({ sessionTimeoutMs, heartbeatIntervalMs: 50 }, topics)
  t.after(() => group.disband())
  const slots = (...numbers: number[]) => new Set(numbers.map(each => `${topic.id}/${each}`))
  const beat = (memberId: string, memberEpoch: number, overrides: Partial<ConsumerHeartbeat> = {}) =>
    group.heartbeat({
      memberId,
      memberEpoch,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs,
      topics: ['orders'],
      owned: new Set(),
      clientId: 'client',
      clientHost: '/127.0.0.1',
      ...overrides
    })
  const refused = (act: () => unknown, name: ErrorName) =>
    assert.throws(act, (error: unknown) => error instanceof KafkaError && error.code === errorCodes[name])
  return { t, topics, topic, group, beat, slots, refused, tick: (ms: number) => t.mock.timers.tick(ms) }
}

const ascending = (a: number, b: number) => a - b

/** Partition numbers of an answer; undefined where it says nothing of the assignment. */
const given = ({ assignment }: HeartbeatAnswer) =>
  assignment === null ? undefined : [...assignment].map(slot => Number(slot.split('/')[1])).sort(ascending)

suite('group of the protocol consumer', () => {
  test('a first member gets everything with the answer to its first heartbeat', t => {
    const { group, beat } = setup(t)
    assert.equal(group.state, 'Empty')
    const answer = beat('a', 0)
    assert.deepEqual([given(answer), answer.memberEpoch, answer.heartbeatIntervalMs], [[0, 1, 2, 3], 1, 50])
    assert.equal(group.state, 'Stable')
  })

  test('a partition is given to its new owner only after the old one has reported it gone', t => {
    const { group, beat, slots } = setup(t)
    beat('a', 0)
    assert.deepEqual(given(beat('b', 0)), [])
    const asked = beat('a', 1, { owned: slots(0, 1, 2, 3) })
    assert.deepEqual([given(asked), asked.memberEpoch], [[2, 3], 1], 'the epoch stays until it has given up')
    assert.deepEqual(given(beat('b', 2)), [], 'not reported yet')
    assert.equal(beat('a', 1, { owned: slots(1, 2, 3) }).memberEpoch, 1, 'one of two is not enough')
    assert.equal(group.state, 'Reconciling')
    assert.equal(beat('a', 1, { owned: slots(2, 3) }).memberEpoch, 2)
    assert.deepEqual(given(beat('b', 2)), [0, 1])
    assert.equal(group.state, 'Stable')
  })

  test('a heartbeat that says nothing new is answered with nothing new', t => {
    const { beat, slots } = setup(t)
    beat('a', 0)
    const unchanged = { rebalanceTimeoutMs: -1, topics: null, owned: null }
    assert.equal(given(beat('a', 1, unchanged)), undefined)
    assert.deepEqual(given(beat('a', 1, { owned: slots(0, 1, 2, 3) })), [0, 1, 2, 3])
  })

  test('a member that does not give up within the rebalance timeout is sent away, heartbeats or not', t => {
    const { beat, slots, refused, tick } = setup(t)
    beat('a', 0)
    beat('b', 0)
    beat('a', 1, { owned: slots(0, 1, 2, 3) })
    tick(rebalanceTimeoutMs - 1)
    beat('a', 1, { owned: slots(0, 1, 2, 3) })
    tick(1)
    refused(() => beat('a', 1, { owned: slots(0, 1, 2, 3) }), 'UNKNOWN_MEMBER_ID')
    assert.deepEqual(given(beat('b', 2)), [0, 1, 2, 3])
  })

  test('a member that is not heard for a session is sent away', t => {
    const { group, beat, refused, tick } = setup(t)
    beat('a', 0)
    tick(sessionTimeoutMs)
    assert.equal(group.state, 'Empty')
    refused(() => beat('a', 1), 'UNKNOWN_MEMBER_ID')
    assert.deepEqual(given(beat('a', 0)), [0, 1, 2, 3])
  })

  test('who leaves gives up everything at once', t => {
    const { beat, slots } = setup(t)
    beat('a', 0)
    beat('b', 0)
    beat('a', 1, { owned: slots(0, 1, 2, 3) })
    assert.partialDeepStrictEqual(beat('a', -1), { memberId: 'a', memberEpoch: -1 })
    assert.deepEqual(given(beat('b', 2)), [0, 1, 2, 3])
  })

  test('an epoch that is not its own fences a member, but a lost answer does not', t => {
    const { beat, slots, refused } = setup(t)
    beat('a', 0)
    assert.equal(beat('a', 0).memberEpoch, 1, 'its join was not answered')
    refused(() => beat('a', 7, { owned: slots(0) }), 'FENCED_MEMBER_EPOCH')
    beat('b', 0)
    beat('a', 1, { owned: slots(2, 3) })
    assert.deepEqual(given(beat('a', 1, { owned: slots(2, 3) })), [2, 3], 'the answer with epoch 2 was lost')
    refused(() => beat('a', 1, { owned: slots(0, 1, 2, 3) }), 'FENCED_MEMBER_EPOCH')
    refused(() => beat('a', 0), 'FENCED_MEMBER_EPOCH')
  })

  test('offsets are taken from and given to a member of the present epoch only', t => {
    const { group, beat } = setup(t)
    const commit = (memberId: string, generation: number) =>
      group.checkCommit({ memberId, generation, instanceId: null })
    assert.equal(commit('', -1), errorCodes.NONE, 'nobody is there')
    beat('a', 0)
    assert.deepEqual([commit('a', 1), commit('a', 0), commit('b', 1), commit('', -1)], [0, 113, 25, 25])
    assert.deepEqual([group.checkFetch(null, -1), group.checkFetch('a', 1), group.checkFetch('a', 2)], [0, 0, 113])
  })

  test('new partitions and a topic that comes later are assigned with the next heartbeats', t => {
    const { topics, topic, beat, slots } = setup(t, 2)
    const both = ['orders', 'later']
    assert.deepEqual(given(beat('a', 0, { topics: both })), [0, 1])
    topics.grow(topic, 3, false)
    assert.deepEqual(given(beat('a', 1, { topics: both, owned: slots(0, 1) })), [0, 1, 2])
    topics.create('later', 1, new Map())
    assert.equal(beat('a', 2, { topics: both, owned: slots(0, 1, 2) }).assignment?.size, 4)
  })

  test('a static member that comes back within its session has what it had, and nobody else notices', t => {
    const { group, beat, slots, refused, tick } = setup(t)
    const [one, other] = [{ instanceId: 'one' }, { instanceId: 'other' }]
    beat('a', 0, one)
    beat('b', 0, other)
    beat('a', 1, { ...one, owned: slots(2, 3) })
    beat('b', 2, other)
    refused(() => beat('c', 0, one), 'UNRELEASED_INSTANCE_ID')
    assert.equal(beat('a', -2, one).memberEpoch, -2)
    const back = beat('c', 0, one)
    assert.deepEqual([given(back), back.memberEpoch], [[2, 3], 2])
    refused(() => beat('a', 2, one), 'FENCED_INSTANCE_ID')
    assert.deepEqual([group.epoch, group.state], [2, 'Stable'])
    beat('c', -2, one)
    tick(sessionTimeoutMs - 1)
    beat('b', 2, { ...other, owned: slots(0, 1) })
    tick(1)
    assert.deepEqual(given(beat('b', 2, { ...other, owned: slots(0, 1) })), [0, 1, 2, 3], 'it did not come back')
  })

  test('whatever members do, no partition is ever in two hands, and in the end each is in one', t => {
    const lateLosses = (['beat', 'lose', 'beat', 'lose'] as const).map((what, at) => ({ who: [2, 3, 0, 3][at]!, what }))
    const act = fc.record({ who: fc.nat(3), what: fc.constantFrom('beat', 'beat', 'beat', 'drain', 'leave', 'lose') })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), acts => {
        t.mock.timers.reset()
        const { group, beat } = setup(t, 7)
        const members = [0, 1, 2, 3].map(who => ({ id: `m${who}`, epoch: 0, owned: new Set<string>() }))
        type Member = (typeof members)[number]
        const leave = (member: Member) => {
          beat(member.id, -1)
          Object.assign(member, { epoch: 0, owned: new Set() })
        }
        /** Undefined: it has lost two answers, so that its epoch is too old, and gives everything up. */
        const heard = (member: Member) => {
          try {
            return beat(member.id, member.epoch, { owned: member.owned })
          } catch (error) {
            if (!(error instanceof KafkaError) || error.code !== errorCodes.FENCED_MEMBER_EPOCH) throw error
            return leave(member)
          }
        }
        const step = (member: Member, drains: boolean, loses = false) => {
          const answer = heard(member)
          if (answer === undefined || loses) return
          member.epoch = answer.memberEpoch
          const target = answer.assignment!
          const gone = member.owned.difference(target)
          if (drains || gone.size === 0) member.owned = new Set(target)
          const all = members.flatMap(({ owned }) => [...owned])
          assert.equal(new Set(all).size, all.length, 'one hand for each')
        }
        for (const { who, what } of acts) {
          const member = members[who]!
          if (what === 'leave' && member.epoch > 0) leave(member)
          else step(member, what === 'drain', what === 'lose')
        }
        // Who lost answers is fenced, leaves and joins anew; then the others drain, and then it gets its share: five rounds, and one to spare.
        for (let round = 0; round < 6; round++) for (const member of members) step(member, true)
        assert.deepEqual(members.map(({ owned }) => owned.size).sort(ascending), [1, 2, 2, 2])
        assert.equal(group.state, 'Stable')
        group.disband()
      }),
      { numRuns: 200, examples: [[lateLosses]] }
    )
  })
})

suite('uniform assignor', () => {
  const topics = [
    { name: 'x', slots: ['x/0', 'x/1', 'x/2'] },
    { name: 'y', slots: ['y/0'] }
  ]

  test('gives a topic to its readers only, evenly, and leaves with everybody what it may', () => {
    const readers = [
      { id: 'a', topics: new Set(['x', 'y']) },
      { id: 'b', topics: new Set(['x']) }
    ]
    const target = assignUniformly(readers, topics, new Map([['a', new Set(['x/0', 'x/1', 'x/2'])]]))
    assert.deepEqual([...target.values()].map(each => each.size).sort(ascending), [2, 2])
    assert.ok(target.get('a')!.has('y/0'))
    assert.equal(target.get('b')!.size, 2)
    assert.deepEqual(assignUniformly(readers, topics, target), target)
  })

  test('a topic that nobody reads is given to nobody', () => {
    assert.deepEqual(
      assignUniformly([{ id: 'a', topics: new Set(['y']) }], topics, new Map()).get('a'),
      new Set(['y/0'])
    )
  })
})
