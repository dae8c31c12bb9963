import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { reactToCommit } from '../../../src/adapters/kafka/committer.ts'
import { parseAddress } from '../../../src/adapters/kafka/cluster.ts'
import { difference, heartbeatIntervalMs, reactTo } from '../../../src/adapters/kafka/group-protocol.ts'
import { listAt, resetTimestamp, startTimestamp } from '../../../src/adapters/kafka/offsets.ts'
import {
  BrokerUnreachable,
  ClusterUnreachable,
  CorruptBatch,
  errorName,
  KafkaRefusal,
  ProblemBoard,
  problemOf
} from '../../../src/adapters/kafka/problems.ts'
import { retryDelayMs } from '../../../src/adapters/kafka/retry-delay.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import type { ConsumerProblem } from '../../../src/ports/consumer.ts'

suite('what a member does about an error code', () => {
  const table: readonly (readonly [number, string])[] = [
    [0, 'fine'],
    [14, 'find-coordinator'],
    [15, 'find-coordinator'],
    [16, 'find-coordinator'],
    [22, 'lost'],
    [23, 'told'],
    [25, 'lost'],
    [26, 'told'],
    [27, 'rejoin'],
    [30, 'told'],
    [79, 'take-id'],
    [82, 'replaced'],
    [110, 'lost'],
    [4711, 'told']
  ]
  for (const [code, kind] of table) test(`${errorName(code)}: ${kind}`, () => assert.equal(reactTo(code).kind, kind))

  test('an unknown member asks for a new id, one of an old generation keeps its own', () => {
    assert.deepEqual(reactTo(25), { kind: 'lost', keepsId: false })
    assert.deepEqual(reactTo(22), { kind: 'lost', keepsId: true })
  })

  test('an assignment changes only what differs', () => {
    assert.deepEqual(difference([1, 2, 3], [3, 4]), { gained: [4], gone: [1, 2] })
    assert.deepEqual(difference([], []), { gained: [], gone: [] })
  })

  test('beats three times a session, and at least every three seconds', () => {
    assert.equal(heartbeatIntervalMs(6000), 2000)
    assert.equal(heartbeatIntervalMs(45_000), 3000)
  })
})

suite('what a commit does about an error code', () => {
  const table: readonly (readonly [number, string])[] = [
    [0, 'taken'],
    [3, 'again'],
    [12, 'again-without-metadata'],
    [14, 'again-elsewhere'],
    [16, 'again-elsewhere'],
    [22, 'again-when-settled'],
    [25, 'again-when-settled'],
    [27, 'again-when-settled'],
    [29, 'refused'],
    [30, 'refused'],
    [4711, 'again']
  ]
  for (const [code, reaction] of table)
    test(`${errorName(code)}: ${reaction}`, () => assert.equal(reactToCommit(code), reaction))
})

suite('where a partition without a committed offset begins', () => {
  const fresh = { partitionCount: 4, known: false }

  test('by the starting position while the group is new', () => {
    assert.equal(startTimestamp({ kind: 'TRIM_HORIZON' }, 0, fresh), listAt.earliest)
    assert.equal(startTimestamp({ kind: 'LATEST' }, 3, fresh), listAt.latest)
    assert.equal(startTimestamp({ kind: 'AT_TIMESTAMP', timestampMs: 99 }, 0, fresh), 99)
  })

  test('at its own start under LATEST when it came later', () => {
    assert.equal(startTimestamp({ kind: 'LATEST' }, 4, fresh), listAt.earliest)
    assert.equal(startTimestamp({ kind: 'LATEST' }, 2, { partitionCount: 4, known: true }), listAt.earliest)
  })

  test('out of range: at the end under LATEST, else at the start', () => {
    assert.equal(resetTimestamp({ kind: 'LATEST' }), listAt.latest)
    assert.equal(resetTimestamp({ kind: 'AT_TIMESTAMP', timestampMs: 5 }), listAt.earliest)
  })
})

suite('problems', () => {
  test('are told in the terms of the user, with everything that led to them', () => {
    const cases: readonly (readonly [unknown, ConsumerProblem['kind'], RegExp])[] = [
      [new KafkaRefusal(29, 'partition 1'), 'authorization', /TOPIC_AUTHORIZATION_FAILED/],
      [new KafkaRefusal(30, 'joining'), 'authorization', /GROUP_AUTHORIZATION_FAILED/],
      [new KafkaRefusal(3, 'topic t'), 'unknown-topic', /topic t: UNKNOWN_TOPIC_OR_PARTITION/],
      [new KafkaRefusal(31, 'asking'), 'authorization', /CLUSTER_AUTHORIZATION_FAILED/],
      [new KafkaRefusal(4711, 'asking'), 'internal', /error 4711/],
      [new CorruptBatch(5, 'is torn'), 'corrupt', /offset 5 is torn/],
      [new BrokerUnreachable('b:1', 'refused'), 'connection', /^refused$/],
      [new Error('outer', { cause: new KafkaRefusal(58, 'login') }), 'authentication', /outer <- login/],
      [new AggregateError([new BrokerUnreachable('b:2', 'silent')], 'all failed'), 'connection', /^silent$/],
      ['a string', 'internal', /^Cannot do it: a string/]
    ]
    for (const [error, kind, message] of cases) {
      const problem = problemOf(error, 'do it')
      assert.equal(problem.kind, kind)
      assert.match(problem.message, message)
    }
  })

  test('say how far it got and with whom, the same whoever met them first', () => {
    const refused = new BrokerUnreachable('b:1', 'connect ECONNREFUSED', { stage: 'TCP' })
    const expected = { kind: 'connection', stage: 'TCP', broker: 'b:1', message: 'connect ECONNREFUSED' }
    assert.deepEqual(problemOf(refused, 'read the topic', 'metadata'), expected)
    assert.deepEqual(problemOf(refused, 'join group g', 'group'), expected)
    assert.deepEqual(problemOf(new BrokerUnreachable('b:1', 'closed'), 'join group g', 'group'), {
      ...expected,
      stage: 'group',
      message: 'closed'
    })
    assert.deepEqual(problemOf(new KafkaRefusal(30, 'joining group g', 'b:1'), 'join group g', 'group'), {
      kind: 'authorization',
      stage: 'authorisation',
      broker: 'b:1',
      message: 'joining group g: GROUP_AUTHORIZATION_FAILED'
    })
  })

  test('of several brokers are told as one, in an order that does not change with who failed first', () => {
    const failures = [
      new BrokerUnreachable('b:3', 'ENOTFOUND', { stage: 'DNS', kind: 'unresolvable' }),
      new BrokerUnreachable('b:2', 'ECONNREFUSED', { stage: 'TCP' }),
      new BrokerUnreachable('b:1', 'ECONNREFUSED', { stage: 'TCP' })
    ]
    for (const order of [failures, failures.toReversed()])
      assert.deepEqual(problemOf(new ClusterUnreachable('b:1,b:2,b:3', order), 'read the topic', 'metadata'), {
        kind: 'connection',
        stage: 'TCP',
        broker: 'b:1',
        message: 'ECONNREFUSED; TCP b:2: ECONNREFUSED; DNS b:3: ENOTFOUND'
      })
  })

  test('are told when they come, change and end, and not again while they last', () => {
    const told: (string | undefined)[] = []
    const board = new ProblemBoard(problem => told.push(problem?.message), new FakeClock())
    const problem = (message: string): ConsumerProblem => ({ kind: 'internal', message })
    board.set('a', problem('one'))
    board.set('a', problem('one'))
    board.set('b', problem('two'))
    board.clear('a')
    board.clear('a')
    board.clear('b')
    assert.deepEqual(told, ['one', 'two', undefined])
  })

  test('that may be everyday life are told only when they last; what needs help, at once', async () => {
    const clock = new FakeClock()
    const told: (string | undefined)[] = []
    const board = new ProblemBoard(problem => told.push(problem?.message), clock)
    const everyday = (message: string): ConsumerProblem => ({ kind: 'connection', message })
    board.suspect('a', everyday('leader moved'))
    await clock.advance(1000)
    board.clear('a')
    await clock.advance(5000)
    assert.deepEqual(told, [])
    board.suspect('a', everyday('closed'))
    await clock.advance(1000)
    board.suspect('a', everyday('refused'))
    assert.deepEqual(told, [])
    await clock.advance(500)
    assert.deepEqual(told, ['refused'])
    board.suspect('a', everyday('silent'))
    board.suspect('b', { kind: 'authorization', message: 'denied' })
    board.clear('a')
    assert.deepEqual(told, ['refused', 'silent', 'denied'])
    board.suspect('c', everyday('late'))
    board.clearAll()
    assert.equal(clock.waiting, 0)
    assert.deepEqual(told, ['refused', 'silent', 'denied', undefined])
  })
})

test('addresses of brokers, IPv6 among them', () => {
  assert.deepEqual(parseAddress('b-1.example.com:9092'), { host: 'b-1.example.com', port: 9092 })
  assert.deepEqual(parseAddress('[::1]:9093'), { host: '::1', port: 9093 })
})

test('retries wait twice as long each time, up to a cap, with jitter', () => {
  assert.deepEqual(
    [0, 1, 2, 9].map(tries => retryDelayMs(tries, 1)),
    [100, 200, 400, 4000]
  )
  assert.equal(retryDelayMs(0, 0), 50)
})
