import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { FetchSession } from '../../../src/adapters/kafka/fetch-session.ts'
import type { PartitionQuestion } from '../../../src/adapters/kafka/fetch-session.ts'
import { errorCode } from '../../../src/adapters/kafka/problems.ts'
import { KafkaError } from '../../../src/devbroker/error-codes.ts'
import { FetchSessions } from '../../../src/devbroker/fetch-sessions.ts'
import { embeddedWorld, seen } from './embedded-world.ts'

const ask = (partition: number, offset: number): PartitionQuestion => ({
  partition,
  offset,
  leaderEpoch: 0,
  maxBytes: 1000
})

/** One request of the session at the broker: which partitions, from where, it will be answered about. */
function served(session: FetchSession, broker: FetchSessions, topic: string, questions: readonly PartitionQuestion[]) {
  const turn = session.next(topic, questions)
  const named = turn.questions.map(({ partition, offset, leaderEpoch, maxBytes }) => ({
    partition,
    fetchOffset: offset,
    currentLeaderEpoch: leaderEpoch,
    partitionMaxBytes: maxBytes
  }))
  const of = <T>(partitions: readonly T[]) =>
    partitions.length === 0 ? [] : [{ topic: '', topicId: topic, partitions }]
  const { sessionId, sessionEpoch } = turn
  try {
    const found = broker.turn({ sessionId, sessionEpoch, topics: of(named), forgottenTopics: of(turn.forgotten) }, true)
    session.answered(found.sessionId)
    return {
      turn,
      asked: found.topics.flatMap(({ topicId, partitions }) =>
        partitions.map(each => [topicId, each.partition, each.fetchOffset] as const)
      )
    }
  } catch (error) {
    assert.ok(error instanceof KafkaError)
    assert.ok(session.refused(error.code))
    assert.ok(turn.incremental, 'a request for a new session is never refused')
    return { turn, asked: undefined }
  }
}

suite('a fetch session', () => {
  test('names every partition once, then only those that moved, came or went', () => {
    const [session, broker] = [new FetchSession(), new FetchSessions()]
    const first = served(session, broker, 'orders', [ask(0, 5), ask(1, 7)])
    assert.deepEqual([first.turn.questions.length, first.turn.incremental], [2, false])
    const second = served(session, broker, 'orders', [ask(0, 5), ask(1, 8)])
    assert.deepEqual([second.turn.questions, second.turn.forgotten], [[ask(1, 8)], []])
    const third = served(session, broker, 'orders', [ask(1, 8), ask(2, 0)])
    assert.deepEqual([third.turn.questions, third.turn.forgotten], [[ask(2, 0)], [0]])
    const fourth = served(session, broker, 'orders', [ask(1, 8), ask(2, 0)])
    assert.deepEqual([fourth.turn.questions, fourth.turn.forgotten, fourth.turn.sessionEpoch], [[], [], 3])
  })

  test('of a broker that keeps none says everything every time', () => {
    const session = new FetchSession()
    for (let request = 0; request < 3; request++) {
      const turn = session.next('orders', [ask(0, 5)])
      assert.deepEqual([turn.sessionId, turn.sessionEpoch, turn.questions.length, turn.incremental], [0, 0, 1, false])
      session.answered(0)
    }
  })

  test('that the broker takes for another ends the old one as it begins anew', () => {
    const session = new FetchSession()
    session.next('orders', [ask(0, 5)])
    session.answered(77)
    session.next('orders', [ask(0, 5)])
    assert.ok(session.refused(errorCode.invalidFetchSessionEpoch))
    assert.partialDeepStrictEqual(session.next('orders', [ask(0, 5)]), { sessionId: 77, sessionEpoch: 0 })
    assert.equal(session.refused(errorCode.topicAuthorizationFailed), false)
  })

  test('whatever is paused, resumed, moved, made anew or forgotten by the broker: it is asked what is wanted, no more', () => {
    const step = fc.record({
      wanted: fc.uniqueArray(fc.nat(5), { maxLength: 6 }),
      moved: fc.array(fc.nat(5), { maxLength: 3 }),
      topic: fc.constantFrom('a', 'a', 'a', 'b'),
      forgets: fc.boolean()
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), steps => {
        const [session, broker] = [new FetchSession(), new FetchSessions()]
        const offsets = [0, 0, 0, 0, 0, 0]
        for (const { wanted, moved, topic, forgets } of steps) {
          for (const partition of moved) offsets[partition]!++
          if (forgets) broker.clear()
          const questions = wanted.map(partition => ask(partition, offsets[partition]!))
          let { asked } = served(session, broker, topic, questions)
          asked ??= served(session, broker, topic, questions).asked
          const byPartition = (a: readonly [string, number, number], b: readonly [string, number, number]) =>
            a[1] - b[1]
          assert.deepEqual(
            asked?.toSorted(byPartition),
            wanted.map(partition => [topic, partition, offsets[partition]!] as const).toSorted(byPartition)
          )
          assert.ok(broker.size <= 1, 'none is left behind')
        }
      })
    )
  })
})

suite('a consumer in a fetch session', () => {
  for (const error of ['FETCH_SESSION_ID_NOT_FOUND', 'INVALID_FETCH_SESSION_EPOCH'])
    test(`goes on at once after ${error}`, async t => {
      const { broker, open, put } = await embeddedWorld(t, 2)
      const { listener, log } = open({}, { fetchIdleWaitMs: 50, fetchMaxWaitMs: 50 })
      put(0, 'a')
      await seen(listener, 1)
      broker.answerNext('Fetch', { error }, 1)
      put(1, 'b')
      await seen(listener, 2)
      put(0, 'c')
      await seen(listener, 3)
      assert.deepEqual(listener.values(), ['a', 'b', 'c'])
      assert.deepEqual(
        log.lines.filter(line => JSON.stringify(line).includes('cannot fetch')),
        []
      )
    })

  test('gets every record once and in order while partitions pause, resume and lose their connections', async t => {
    const partitions = [0, 1, 2, 3, 4, 5]
    const { broker, open, put } = await embeddedWorld(t, partitions.length)
    const { consumer, listener } = open({}, { fetchIdleWaitMs: 100, fetchMaxWaitMs: 20 })
    for (let round = 0; round < 60; round++) {
      for (const partition of partitions) {
        if ((round * 7 + partition) % 4 === 0) listener.paused.add(partition)
        else listener.paused.delete(partition)
        if ((round + partition) % 2 === 0) put(partition, `${round}`)
      }
      consumer.resume()
      if (round % 20 === 10) broker.dropConnections()
      if (round % 20 === 15) broker.answerNext('Fetch', { error: 'FETCH_SESSION_ID_NOT_FOUND' })
      await seen(listener, Math.max(0, round - 5))
    }
    listener.paused.clear()
    consumer.resume()
    await seen(listener, 180)
    for (const partition of partitions)
      assert.deepEqual(
        listener.values(partition),
        Array.from({ length: 30 }, (_, index) => `${index * 2 + (partition % 2)}`)
      )
  })
})
