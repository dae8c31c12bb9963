import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import { errorCodes } from '../../src/devbroker/error-codes.ts'
import { FetchSessions } from '../../src/devbroker/fetch-sessions.ts'
import { RawClient } from './raw-client.ts'

interface Told {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly records: readonly Buffer[]
}

async function setup() {
  const broker = new EmbeddedBroker()
  await broker.start()
  broker.createTopic('orders', { partitions: 3 })
  const client = await RawClient.open(broker)
  /** `asked`: partition → offset. */
  const fetch = async (
    session: readonly [id: number, epoch: number],
    asked: Readonly<Record<number, number>> = {},
    { forgotten = [] as number[], maxWaitMs = 0, leaderEpoch = -1 } = {}
  ) => {
    const partitions = Object.entries(asked).map(([partition, fetchOffset]) => ({
      partition: Number(partition),
      fetchOffset,
      currentLeaderEpoch: leaderEpoch,
      partitionMaxBytes: 1000
    }))
    const answer = await client.call('Fetch', 11, {
      maxWaitMs,
      minBytes: 1,
      sessionId: session[0],
      sessionEpoch: session[1],
      topics: partitions.length === 0 ? [] : [{ topic: 'orders', partitions }],
      forgottenTopics: forgotten.length === 0 ? [] : [{ topic: 'orders', partitions: forgotten }]
    })
    const topics = answer['topics'] as { partitions: Told[] }[]
    return {
      id: answer['sessionId'] as number,
      error: answer['errorCode'] as number,
      told: topics.flatMap(({ partitions }) => partitions)
    }
  }
  const dispose = async () => {
    client[Symbol.dispose]()
    await broker.stop()
  }
  return { broker, fetch, [Symbol.asyncDispose]: dispose }
}

const partitionsOf = (told: readonly Told[]) => told.map(({ partitionIndex }) => partitionIndex)

suite('fetch sessions (KIP-227)', () => {
  test('the first answer has every partition, later ones only what changed', async () => {
    await using world = await setup()
    const first = await world.fetch([0, 0], { 0: 0, 1: 0, 2: 0 })
    assert.ok(first.id > 0)
    assert.deepEqual(partitionsOf(first.told), [0, 1, 2])
    assert.deepEqual((await world.fetch([first.id, 1])).told, [])
    world.broker.append('orders', 1, [{ value: 'a' }])
    const third = await world.fetch([first.id, 2])
    assert.deepEqual([third.id, partitionsOf(third.told)], [first.id, [1]])
    assert.equal(third.told[0]!.records.length, 1)
    assert.deepEqual(
      partitionsOf((await world.fetch([first.id, 3])).told),
      [1],
      'whoever does not move on gets it again'
    )
    assert.deepEqual((await world.fetch([first.id, 4], { 1: 1 })).told, [])
  })

  test('a request that names nothing waits for all that the session knows', async () => {
    await using world = await setup()
    const { id } = await world.fetch([0, 0], { 0: 0, 2: 0 })
    const waiting = world.fetch([id, 1], {}, { maxWaitMs: 60_000 })
    world.broker.append('orders', 1, [{ value: 'not asked for' }])
    world.broker.append('orders', 2, [{ value: 'a' }])
    assert.deepEqual(partitionsOf((await waiting).told), [2])
  })

  test('a forgotten partition is told of no more, one that is asked again is', async () => {
    await using world = await setup()
    const { id } = await world.fetch([0, 0], { 0: 0, 1: 0 })
    world.broker.append('orders', 0, [{ value: 'a' }])
    assert.deepEqual((await world.fetch([id, 1], {}, { forgotten: [0] })).told, [])
    assert.deepEqual(partitionsOf((await world.fetch([id, 2], { 0: 0, 2: 0 })).told), [0, 2])
  })

  test('an error is told every time, and what comes after it as well', async () => {
    await using world = await setup()
    const { id } = await world.fetch([0, 0], { 0: 9, 1: 0 })
    for (const epoch of [1, 2]) {
      const { told } = await world.fetch([id, epoch])
      assert.deepEqual(
        told.map(({ partitionIndex, errorCode }) => [partitionIndex, errorCode]),
        [[0, errorCodes.OFFSET_OUT_OF_RANGE]]
      )
    }
    assert.deepEqual(partitionsOf((await world.fetch([id, 3], { 0: 0 })).told), [0])
    assert.deepEqual(partitionsOf((await world.fetch([id, 4])).told), [])
  })

  test('a session that is unknown, ended, replaced or expects another request refuses', async () => {
    await using world = await setup()
    assert.equal((await world.fetch([5, 1])).error, errorCodes.FETCH_SESSION_ID_NOT_FOUND)
    const { id } = await world.fetch([0, 0], { 0: 0 })
    assert.equal((await world.fetch([id, 2])).error, errorCodes.INVALID_FETCH_SESSION_EPOCH)
    const next = await world.fetch([id, 0], { 0: 0 })
    assert.equal((await world.fetch([id, 1])).error, errorCodes.FETCH_SESSION_ID_NOT_FOUND)
    assert.deepEqual((await world.fetch([next.id, -1], { 0: 0 })).id, 0)
    assert.equal((await world.fetch([next.id, 1])).error, errorCodes.FETCH_SESSION_ID_NOT_FOUND)
  })

  test('a request outside of sessions leaves none behind', async () => {
    await using world = await setup()
    assert.deepEqual(await world.fetch([0, -1], { 0: 0 }).then(({ id, told }) => [id, partitionsOf(told)]), [0, [0]])
  })

  test('beyond a thousand the one used longest ago goes', () => {
    let ids = 0
    const sessions = new FetchSessions(() => ++ids)
    const asked = { sessionEpoch: 0, topics: [], forgottenTopics: [] }
    for (let count = 0; count < 1000; count++) sessions.turn({ ...asked, sessionId: 0 }, false)
    sessions.turn({ ...asked, sessionId: 1, sessionEpoch: 1 }, false)
    sessions.turn({ ...asked, sessionId: 0 }, false)
    assert.equal(sessions.size, 1000)
    assert.throws(() => sessions.turn({ ...asked, sessionId: 2, sessionEpoch: 1 }, false), {
      code: errorCodes.FETCH_SESSION_ID_NOT_FOUND
    })
    assert.equal(sessions.turn({ ...asked, sessionId: 1, sessionEpoch: 2 }, false).sessionId, 1)
  })
})

suite('elections', () => {
  test('a cut log goes on under a new epoch, and says where the one before ended (KIP-320)', async () => {
    await using world = await setup()
    using client = await RawClient.open(world.broker)
    for (const value of ['a', 'b', 'c']) world.broker.append('orders', 0, [{ value }])
    const waiting = world.fetch([0, -1], { 0: 3 }, { maxWaitMs: 60_000, leaderEpoch: 0 })
    world.broker.elect('orders', 0, 2)
    assert.deepEqual(
      (await waiting).told.map(({ errorCode }) => errorCode),
      [errorCodes.FENCED_LEADER_EPOCH]
    )
    const ahead = await world.fetch([0, -1], { 0: 0 }, { leaderEpoch: 2 })
    assert.equal(ahead.told[0]!.errorCode, errorCodes.UNKNOWN_LEADER_EPOCH)
    world.broker.append('orders', 0, [{ value: 'C' }])
    assert.equal(world.broker.endOffset('orders', 0), 3)
    const ends = async (...epochs: number[]) => {
      const found: unknown[] = []
      for (const leaderEpoch of epochs) {
        const partitions = [{ partition: 0, currentLeaderEpoch: 1, leaderEpoch }]
        const { topics } = await client.call('OffsetForLeaderEpoch', 3, { topics: [{ topic: 'orders', partitions }] })
        const [one] = (topics as { partitions: { leaderEpoch: number; endOffset: number }[] }[])[0]!.partitions
        found.push([one!.leaderEpoch, one!.endOffset])
      }
      return found
    }
    assert.deepEqual(await ends(0, 1, 2), [
      [0, 2],
      [1, 3],
      [-1, -1]
    ])
  })
})
