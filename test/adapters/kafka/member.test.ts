import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Revocations } from '../../../src/adapters/kafka/revocations.ts'
import type { GroupEvents } from '../../../src/adapters/kafka/group-protocol.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { at, byText, commitsOnRevoke, embeddedWorld, seen, until } from './embedded-world.ts'
import type { Opened } from './embedded-world.ts'

suite('a member of a group', () => {
  for (const error of ['COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'GROUP_AUTHORIZATION_FAILED'])
    test(`joins when ${error} is over`, async t => {
      const { broker, open, owns } = await embeddedWorld(t, 1)
      broker.answerNext('JoinGroup', { error })
      const { listener } = open()
      await owns(listener, 0)
      const told = listener.problems.some(problem => problem?.kind === 'authorization')
      assert.equal(told, error === 'GROUP_AUTHORIZATION_FAILED')
      assert.equal(listener.problemNow, undefined)
    })

  test('survives lost answers and cut connections while it joins and syncs', async t => {
    const { broker, open, owns } = await embeddedWorld(t, 2)
    broker.answerNext('FindCoordinator', { dropConnection: true })
    broker.answerNext('JoinGroup', { loseAnswer: true })
    broker.answerNext('SyncGroup', { dropConnection: true })
    broker.answerNext('OffsetFetch', { loseAnswer: true })
    broker.answerNext('ListOffsets', { error: 'NOT_LEADER_OR_FOLLOWER' })
    const { listener } = open({}, { sessionTimeoutMs: 1500 })
    await owns(listener, 0, 1)
    assert.deepEqual(listener.events, ['assigned 0,1'])
  })

  test('a rebalance that begins while it syncs is joined', async t => {
    const { broker, open, owns } = await embeddedWorld(t, 1)
    broker.answerNext('SyncGroup', { error: 'REBALANCE_IN_PROGRESS' })
    const { listener } = open()
    await owns(listener, 0)
    assert.deepEqual(listener.problems, [])
  })

  test('a coordinator that moves costs no partition', async t => {
    const { broker, open, put, owns } = await embeddedWorld(t, 1)
    const { listener, log } = open({}, { sessionTimeoutMs: 900 })
    await owns(listener, 0)
    broker.answerNext('Heartbeat', { error: 'NOT_COORDINATOR' }, 2)
    broker.answerNext('Heartbeat', { error: 'REQUEST_TIMED_OUT' })
    await until(() => log.messages('warn').length === 3, 'three refusals')
    put(0, 'a')
    await seen(listener, 1)
    await until(() => listener.problemNow === undefined, 'well')
    assert.deepEqual(listener.events, ['assigned 0'])
  })

  test('an error code from the future is waited out, and costs no partition', async t => {
    const { broker, open, owns } = await embeddedWorld(t, 1)
    const { listener, log } = open({}, { sessionTimeoutMs: 900 })
    await owns(listener, 0)
    broker.answerNext('Heartbeat', { error: 4711 })
    await until(() => log.messages('warn').length === 1, 'refused')
    assert.match(String(log.lines.find(line => line.level === 'warn')?.fields['error']), /error code that is not known/)
    broker.answerNext('Heartbeat', { error: 'NOT_COORDINATOR' })
    await until(() => log.messages('warn').length === 2, 'asked again')
    assert.deepEqual(listener.events, ['assigned 0'])
  })

  test('of an old generation it loses everything, then joins anew', async t => {
    const { broker, open, owns } = await embeddedWorld(t, 1)
    const { listener } = open({}, { sessionTimeoutMs: 900 })
    await owns(listener, 0)
    broker.answerNext('Heartbeat', { error: 'ILLEGAL_GENERATION' })
    await until(
      () => listener.events.length === 3,
      () => listener.events.join('; ')
    )
    assert.deepEqual(listener.events, ['assigned 0', 'lost 0', 'assigned 0'])
  })

  test('is in doubt when it has not heard the coordinator for a whole session, and loses everything when it is a stranger then', async t => {
    const { broker, open, owns } = await embeddedWorld(t, 1)
    const { consumer, listener } = open({}, { sessionTimeoutMs: 900 })
    await owns(listener, 0)
    broker.answerNext('Heartbeat', { dropConnection: true }, 1_000)
    await until(() => consumer.inDoubt === true, 'in doubt')
    assert.deepEqual(listener.events, ['assigned 0'], 'it may be a member still')
    await until(() => broker.groupState('readers')?.members === 0, 'expelled')
    broker.answerNormally('Heartbeat')
    await until(() => listener.events.length === 3, 'assigned again')
    assert.deepEqual(listener.events, ['assigned 0', 'lost 0', 'assigned 0'])
    assert.equal(consumer.inDoubt, false)
  })

  test('keeps everything when the coordinator that was not heard for a session knows it still', async t => {
    // Of KIP-848's protocol, whose broker has a session of its own: ours can run out before.
    const { broker, open, owns } = await embeddedWorld(t, 1, 'consumer')
    const { consumer, listener, log } = open({}, { sessionTimeoutMs: 900 })
    await owns(listener, 0)
    broker.answerNext('ConsumerGroupHeartbeat', { loseAnswer: true }, 1_000)
    await until(() => consumer.inDoubt === true, 'in doubt')
    broker.answerNormally('ConsumerGroupHeartbeat')
    await until(() => consumer.inDoubt === false, 'known')
    await consumer.commit([at(0, 0, 'ours')])
    assert.deepEqual(listener.events, ['assigned 0'])
    assert.match(log.messages('warn').join('; '), /not heard for a whole session/)
  })

  test('a commit that is refused as a stranger’s makes it ask at once whether it is still a member', async t => {
    const { broker, open, owns } = await embeddedWorld(t, 1)
    const { consumer, listener } = open({}, { sessionTimeoutMs: 60_000 })
    await owns(listener, 0)
    broker.answerNext('OffsetCommit', { error: 'UNKNOWN_MEMBER_ID' })
    broker.answerNext('Heartbeat', { error: 'UNKNOWN_MEMBER_ID' })
    await assert.rejects(
      consumer.commit([{ topic: 'orders', partition: 0, offset: 1 }]),
      /UNKNOWN_MEMBER_ID|not assigned/
    )
    await until(() => listener.events.includes('lost 0'), 'lost')
  })

  test('stops in the middle of a rebalance, and whoever stays gets everything', async t => {
    const { broker, open, owns } = await embeddedWorld(t, 2)
    const first = open({}, { sessionTimeoutMs: 6000 })
    await owns(first.listener, 0, 1)
    const second = open()
    await until(() => broker.groupState('readers')?.state === 'PreparingRebalance', 'rebalancing')
    const stoppingMs = performance.now()
    await first.consumer.stop()
    assert.ok(performance.now() - stoppingMs < 3000)
    assert.deepEqual(first.listener.events, ['assigned 0,1', 'revoked 0,1'])
    await owns(second.listener, 0, 1)
  })

  test('stops while its own join is not answered', async t => {
    const { broker, open } = await embeddedWorld(t, 1)
    broker.answerNext('JoinGroup', { delayMs: 60_000 }, 2)
    const { consumer, listener } = open()
    await until(() => listener.problems.length === 0, 'no problem yet')
    const stoppingMs = performance.now()
    await consumer.stop()
    assert.ok(performance.now() - stoppingMs < 6000)
    assert.deepEqual(listener.events, [])
  })
})

for (const groupProtocol of ['classic', 'consumer'] as const)
  suite(`members of a group of the protocol ${groupProtocol}`, () => coming(groupProtocol))

function coming(groupProtocol: 'classic' | 'consumer'): void {
  test('members that come and go all the time lose nothing and read nothing twice', async t => {
    const { broker, open, put } = await embeddedWorld(t, 6, groupProtocol)
    const all: Opened[] = []
    const join = () => {
      const opened = open({ drainMs: 2000 }, { sessionTimeoutMs: 1500 })
      commitsOnRevoke(opened)
      all.push(opened)
      return opened
    }
    const present = [join()]
    let produced = 0
    for (let round = 0; round < 12; round++) {
      for (let partition = 0; partition < 6; partition++) put(partition, `${partition}/${round}`)
      produced += 6
      if (round % 3 === 2) await present.shift()!.consumer.stop()
      else present.push(join())
      // As in life: now in the middle of a rebalance, now after it.
      if (round % 2 === 0)
        await until(
          () => count() >= produced - 6,
          () => `${produced}; ${count()} came`
        )
    }
    await until(
      () => count() >= produced,
      () => `${produced}; ${count()} came`
    )
    await Promise.all(present.map(({ consumer }) => consumer.stop()))
    const values = all.flatMap(({ listener }) => listener.values()).map(String)
    assert.deepEqual([...new Set(values)].sort(byText), values.toSorted(byText))
    assert.equal(values.length, produced)
    assert.deepEqual(
      all.flatMap(({ listener }) => listener.strays),
      []
    )
    for (let partition = 0; partition < 6; partition++)
      assert.equal(broker.committed('readers', 'orders', partition)?.offset, 12)

    function count(): number {
      return all.reduce((sum, { listener }) => sum + listener.records.length, 0)
    }
  })
}

suite('revoking', () => {
  function setup(timeoutMs = 1000) {
    const clock = new FakeClock()
    const told: string[] = []
    const answers: PromiseWithResolvers<void>[] = []
    const events: GroupEvents = {
      gained: () => undefined,
      revoked(partitions) {
        told.push(`revoked ${partitions.join()}`)
        const answer = Promise.withResolvers<void>()
        answers.push(answer)
        return answer.promise
      },
      lost: partitions => void told.push(`lost ${partitions.join()}`),
      problem: () => undefined
    }
    const owned = new Set([0, 1, 2])
    const log = new RecordingLog()
    return { clock, told, answers, owned, log, revocations: new Revocations(owned, timeoutMs, { clock, log, events }) }
  }

  test('a partition stays owned until the listener has answered', async () => {
    const { answers, owned, revocations } = setup()
    const revoked = revocations.revoke([0, 1])
    assert.deepEqual([...owned], [0, 1, 2])
    answers[0]!.resolve()
    await revoked
    assert.deepEqual([...owned], [2])
  })

  test('the listener is told of a partition once, whoever asks again meanwhile', async () => {
    const { answers, told, revocations } = setup()
    const both = [revocations.revoke([0]), revocations.revoke([0, 1])]
    for (const answer of answers) answer.resolve()
    await Promise.all(both)
    assert.deepEqual(told, ['revoked 0', 'revoked 1'])
  })

  test('a listener that does not answer in time loses the partitions', async () => {
    const { clock, owned, told, revocations } = setup(1000)
    const revoked = revocations.revoke([0])
    await clock.advance(1000)
    await revoked
    assert.deepEqual(told, ['revoked 0', 'lost 0'])
    assert.deepEqual([...owned], [1, 2])
  })

  test('a listener that fails gives them up all the same, and the log says so', async () => {
    const { answers, owned, log, revocations } = setup()
    const revoked = revocations.revoke([1])
    answers[0]!.reject(new Error('no'))
    await revoked
    assert.deepEqual([...owned], [0, 2])
    assert.equal(log.messages('error').length, 1)
  })
})
