import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import type { EmbeddedBrokerOptions } from '../../src/devbroker/broker.ts'
import { errorCodes } from '../../src/devbroker/error-codes.ts'
import { RawClient } from './raw-client.ts'

async function setup(t: TestContext, options: EmbeddedBrokerOptions = {}) {
  const broker = new EmbeddedBroker(options)
  await broker.start()
  broker.createTopic('orders', { partitions: 2 })
  const client = await RawClient.open(broker)
  t.after(async () => {
    client[Symbol.dispose]()
    await broker.stop()
  })
  const beat = (overrides: object = {}, version = 1) =>
    client.call('ConsumerGroupHeartbeat', version, {
      groupId: 'readers',
      memberId: 'me',
      memberEpoch: 0,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ['orders'],
      serverAssignor: null,
      topicPartitions: [],
      ...overrides
    })
  const join = (memberId = '') =>
    client.call('JoinGroup', 3, {
      groupId: 'readers',
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 6000,
      memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(0) }]
    })
  const commit = (generationIdOrMemberEpoch: number, memberId: string, offset = 1) =>
    client.call('OffsetCommit', 9, {
      groupId: 'readers',
      generationIdOrMemberEpoch,
      memberId,
      groupInstanceId: null,
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: '' }] }]
    })
  const offered = async () => (await client.call('ApiVersions', 3, {})) as { apiKeys: { apiKey: number }[] }
  return { broker, client, beat, join, commit, offered }
}

const errorIn = (answer: Record<string, unknown>) => answer['errorCode']
const commitError = (answer: Record<string, unknown>) =>
  (answer as { topics: { partitions: { errorCode: number }[] }[] }).topics[0]!.partitions[0]!.errorCode

suite('group protocols', () => {
  test('both are offered, and group.version says so, unless one is switched off', async t => {
    const both = await setup(t)
    const answer = await both.offered()
    assert.partialDeepStrictEqual(answer, { finalizedFeatures: [{ name: 'group.version', firstVersion: 1 }] })
    const keys = async (options: EmbeddedBrokerOptions) => {
      const { apiKeys } = await (await setup(t, options)).offered()
      return [11, 68, 69].filter(key => apiKeys.some(({ apiKey }) => apiKey === key))
    }
    assert.deepEqual(await keys({}), [11, 68, 69])
    assert.deepEqual(await keys({ groupProtocols: ['classic'] }), [11])
    assert.deepEqual(await keys({ groupProtocols: ['consumer'] }), [68, 69])
    const classic = await setup(t, { groupProtocols: ['classic'] })
    const refused = await classic.client.exchange(68, 1, Buffer.alloc(0), true)
    assert.equal(refused.readInt16BE(), errorCodes.UNSUPPORTED_VERSION)
  })

  test('a group with members stays of their protocol, an empty one takes that of who joins, with its offsets', async t => {
    const { broker, client, beat, join, commit } = await setup(t)
    assert.equal(commitError(await commit(-1, '', 7)), 0)
    assert.deepEqual([errorIn(await beat()), broker.groupState('readers')?.state], [0, 'Stable'])
    assert.equal(broker.committed('readers', 'orders', 0)?.offset, 7)
    assert.equal(errorIn(await join()), errorCodes.INCONSISTENT_GROUP_PROTOCOL)
    const told = { groupId: 'readers', generationId: 1, memberId: 'me', groupInstanceId: null }
    assert.equal(errorIn(await client.call('Heartbeat', 4, told)), errorCodes.UNKNOWN_MEMBER_ID)
    assert.equal(errorIn(await beat({ memberEpoch: -1 })), 0)
    const joined = await join()
    assert.equal(errorIn(joined), 0)
    assert.equal(errorIn(await beat()), errorCodes.GROUP_ID_NOT_FOUND)
    const members = [{ memberId: joined['memberId'], groupInstanceId: null, reason: null }]
    await client.call('LeaveGroup', 5, { groupId: 'readers', members })
    assert.equal(errorIn(await beat()), 0)
    assert.equal(broker.committed('readers', 'orders', 0)?.offset, 7)
  })

  test('commits and reads of a stale epoch or a stranger are refused', async t => {
    const { client, beat, commit } = await setup(t)
    await beat()
    const codes = [await commit(1, 'me'), await commit(2, 'me'), await commit(1, 'you')].map(commitError)
    assert.deepEqual(codes, [0, errorCodes.STALE_MEMBER_EPOCH, errorCodes.UNKNOWN_MEMBER_ID])
    const read = async (memberId: string | null, memberEpoch: number) => {
      const answer = await client.call('OffsetFetch', 9, {
        groups: [{ groupId: 'readers', memberId, memberEpoch, topics: null }]
      })
      return (answer as { groups: { errorCode: number }[] }).groups[0]!.errorCode
    }
    assert.deepEqual([await read('me', 1), await read(null, -1)], [0, 0])
    assert.equal(await read('me', 3), errorCodes.STALE_MEMBER_EPOCH)
  })

  test('a heartbeat that cannot be meant is refused in words, and makes no group', async t => {
    const { broker, beat } = await setup(t)
    const refusals: [object, number, RegExp][] = [
      [{ groupId: '' }, errorCodes.INVALID_REQUEST, /GroupId/],
      [{ memberId: '', memberEpoch: 1 }, errorCodes.INVALID_REQUEST, /MemberId/],
      [{ memberEpoch: -3 }, errorCodes.INVALID_REQUEST, /MemberEpoch is -3/],
      [{ memberEpoch: -2 }, errorCodes.INVALID_REQUEST, /InstanceId/],
      [{ rebalanceTimeoutMs: -1 }, errorCodes.INVALID_REQUEST, /RebalanceTimeoutMs/],
      [{ subscribedTopicNames: null }, errorCodes.INVALID_REQUEST, /SubscribedTopicNames/],
      [{ topicPartitions: null }, errorCodes.INVALID_REQUEST, /TopicPartitions/],
      [{ serverAssignor: 'mine' }, errorCodes.UNSUPPORTED_ASSIGNOR, /mine.*uniform/],
      [{ subscribedTopicRegex: 'or.*' }, errorCodes.INVALID_REGULAR_EXPRESSION, /by name/],
      [{ memberEpoch: 4 }, errorCodes.GROUP_ID_NOT_FOUND, /readers/]
    ]
    for (const [overrides, code, message] of refusals) {
      const answer = await beat(overrides)
      assert.equal(errorIn(answer), code, JSON.stringify(overrides))
      assert.match(String(answer['errorMessage']), message)
    }
    assert.equal(broker.groupState('readers'), undefined)
  })

  test('version 0 lets the coordinator name the member', async t => {
    const { beat } = await setup(t)
    const answer = await beat({ memberId: '' }, 0)
    assert.match(String(answer['memberId']), /^[0-9a-f-]{36}$/)
  })

  test('a group is described with what each member has and shall have', async t => {
    const { client, beat } = await setup(t)
    await beat({ instanceId: 'one' })
    await beat({ memberId: 'you' })
    const answer = await client.call('ConsumerGroupDescribe', 1, { groupIds: ['readers', 'nobody'] })
    const [readers, nobody] = (answer as { groups: Record<string, unknown>[] }).groups
    assert.equal(nobody?.['errorCode'], errorCodes.GROUP_ID_NOT_FOUND)
    assert.partialDeepStrictEqual(readers, {
      groupState: 'Reconciling',
      groupEpoch: 2,
      assignorName: 'uniform',
      members: [
        {
          memberId: 'me',
          instanceId: 'one',
          memberEpoch: 1,
          assignment: { topicPartitions: [{ topicName: 'orders', partitions: [0, 1] }] },
          targetAssignment: { topicPartitions: [{ topicName: 'orders', partitions: [1] }] }
        },
        { memberId: 'you', memberEpoch: 2, assignment: { topicPartitions: [] } }
      ]
    })
  })
})
