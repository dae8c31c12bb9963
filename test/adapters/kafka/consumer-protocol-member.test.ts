import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { apis } from '../../../src/adapters/kafka/apis.ts'
import type { Cluster } from '../../../src/adapters/kafka/cluster.ts'
import { ConsumerProtocolMember } from '../../../src/adapters/kafka/consumer-protocol-member.ts'
import type { CoordinatorFinder } from '../../../src/adapters/kafka/coordinator.ts'
import type { MemberOptions } from '../../../src/adapters/kafka/membership.ts'
import type { ConsumerProblem } from '../../../src/ports/consumer.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { RecordingLog } from '../../support/recording-log.ts'

const intervalMs = 1000
const sessionTimeoutMs = 9000

/** One heartbeat as the coordinator reads it. */
interface Beat {
  readonly atMs: number
  readonly memberId: string
  readonly epoch: number
  readonly owned: Record<string, number[]>
}

/** What the coordinator answers: an epoch with an assignment by topic id, a refusal, or nothing but an error. */
type Answer = { epoch: number; assigned: Record<string, number[]> } | { code: number } | Error

/** A member in virtual time, and a coordinator that answers the same until told otherwise. */
function setup(options: Partial<MemberOptions> = {}, mayBeRefused = false) {
  const clock = new FakeClock()
  const beats: Beat[] = []
  const told: string[] = []
  const problems: (ConsumerProblem | undefined)[] = []
  const refusals: string[] = []
  const draining: PromiseWithResolvers<void>[] = []
  const world = {
    answer: { epoch: 1, assigned: { first: [0, 1] } } as Answer,
    topicId: 'first',
    offered: true,
    refreshes: 0
  }
  const next: (Answer | Promise<Answer>)[] = []
  const cluster = {
    offered: () => new Map(world.offered ? [[apis.consumerGroupHeartbeat.key, { min: 0, max: 1 }]] : []),
    drop: () => Promise.resolve(),
    async call(_wire: unknown, _family: unknown, request: unknown[]) {
      const [, memberId, epoch, , , , , , , owned] = request as [string, string, number, ...unknown[]]
      const named = (owned ?? []) as { topicId: string; partitions: number[] }[]
      const byTopic = Object.fromEntries(named.map(each => [each.topicId, each.partitions]))
      beats.push({ atMs: clock.monotonicMs(), memberId, epoch, owned: byTopic })
      const answer = epoch < 0 ? { epoch, assigned: {} } : await (next.shift() ?? world.answer)
      if (answer instanceof Error) throw answer
      if ('code' in answer) return { errorCode: answer.code, errorMessage: null }
      const topicPartitions = Object.entries(answer.assigned).map(([topicId, partitions]) => ({ topicId, partitions }))
      const { epoch: memberEpoch } = answer
      return { errorCode: 0, memberEpoch, heartbeatIntervalMs: intervalMs, assignment: { topicPartitions } }
    }
  }
  const member = new ConsumerProtocolMember(
    {
      groupId: 'readers',
      topic: 'orders',
      instanceId: null,
      sessionTimeoutMs,
      rebalanceTimeoutMs: 60_000,
      revokeTimeoutMs: 50_000,
      metadataMaxAgeMs: 30_000,
      ...options
    },
    {
      // All that the member asks of them.
      cluster: cluster as unknown as Cluster,
      coordinator: { wire: () => Promise.resolve({}), forget: () => undefined } as unknown as CoordinatorFinder,
      clock,
      log: new RecordingLog(),
      events: {
        gained: partitions => void told.push(`gained ${partitions.join()}`),
        revoked(partitions) {
          told.push(`revoked ${partitions.join()}`)
          const drained = Promise.withResolvers<void>()
          draining.push(drained)
          return drained.promise
        },
        lost: partitions => void told.push(`lost ${partitions.join()}`),
        problem: problem => void problems.push(problem)
      },
      topic: { id: () => world.topicId, refresh: () => void world.refreshes++ },
      ...(mayBeRefused ? { refused: (why: string) => void refusals.push(why) } : {})
    }
  )
  const start = async () => {
    member.start()
    await clock.advance(0)
  }
  /** Stops, draining whatever there is. */
  const stop = async () => {
    const stopped = member.stop()
    await clock.advance(0)
    for (const each of draining) each.resolve()
    await clock.advance(5000)
    await stopped
  }
  return { member, clock, beats, told, problems, refusals, draining, world, next, start, stop }
}

suite('a member of the group protocol consumer', () => {
  test('takes what the first answer assigns, and beats at the interval that the broker asks', async () => {
    const { member, clock, beats, told, start } = setup()
    await start()
    assert.deepEqual(told, ['gained 0,1'])
    assert.partialDeepStrictEqual(member.identity, { protocol: 'consumer', generation: 1, instanceId: null })
    await clock.advance(3 * intervalMs)
    assert.deepEqual(
      beats.map(({ atMs, epoch, owned }) => [atMs, epoch, owned]),
      [
        [0, 0, {}],
        [1000, 1, { first: [0, 1] }],
        [2000, 1, { first: [0, 1] }],
        [3000, 1, { first: [0, 1] }]
      ]
    )
  })

  test('asks again soon when it has just joined and got nothing, but not for longer than an interval', async () => {
    const { clock, beats, told, world, start } = setup()
    world.answer = { epoch: 1, assigned: {} }
    await start()
    await clock.advance(3 * intervalMs)
    assert.deepEqual(
      beats.map(({ atMs }) => atMs),
      [0, 250, 500, 750, 1000, 2000, 3000]
    )
    assert.deepEqual(told, ['gained '])
  })

  test('keeps to the interval as soon as it has something', async () => {
    const { clock, beats, told, next, start } = setup()
    next.push({ epoch: 1, assigned: {} })
    await start()
    await clock.advance(3 * intervalMs)
    assert.deepEqual(
      beats.map(({ atMs }) => atMs),
      [0, 250, 1250, 2250]
    )
    assert.deepEqual(told, ['gained ', 'gained 0,1'])
  })

  test('names what it drains for as long as it drains, no sooner than the interval, and then at once what is left', async () => {
    const { member, clock, beats, told, draining, world, start } = setup()
    await start()
    world.answer = { epoch: 1, assigned: { first: [1] } }
    await clock.advance(6 * intervalMs)
    assert.deepEqual(told, ['gained 0,1', 'revoked 0'])
    assert.equal(beats.length, 7)
    assert.deepEqual(beats.at(-1)?.owned, { first: [0, 1] })
    assert.ok(member.owns(0), 'it may still commit')
    world.answer = { epoch: 2, assigned: { first: [1] } }
    draining[0]!.resolve()
    await clock.advance(0)
    assert.partialDeepStrictEqual(beats.at(-1), { atMs: 6000, epoch: 1, owned: { first: [1] } })
    assert.deepEqual([member.owns(0), member.identity?.generation], [false, 2])
    assert.deepEqual(told, ['gained 0,1', 'revoked 0'])
  })

  test('a listener that drains longer than it may loses the partitions, and the group gets them', async () => {
    const { clock, beats, told, world, start } = setup({ revokeTimeoutMs: 2500 })
    await start()
    world.answer = { epoch: 1, assigned: {} }
    await clock.advance(4000)
    assert.deepEqual(told, ['gained 0,1', 'revoked 0,1', 'lost 0,1'])
    assert.deepEqual(beats.at(-1)?.owned, {})
  })

  test('an answer that was lost costs nothing: the same is said again', async () => {
    const { beats, clock, told, next, start } = setup()
    await start()
    next.push(new Error('the connection was cut'), new Error('the connection was cut'))
    await clock.advance(2000)
    assert.deepEqual(
      beats.slice(2, 4).map(({ epoch, owned }) => [epoch, owned]),
      [
        [1, { first: [0, 1] }],
        [1, { first: [0, 1] }]
      ]
    )
    assert.deepEqual(told, ['gained 0,1'])
  })

  for (const code of [110, 25, 69])
    test(`of error ${code} it has lost everything, and joins under its own id with epoch 0 and empty hands`, async () => {
      const { member, beats, clock, told, next, start } = setup()
      await start()
      next.push({ code }, new Error('not yet'))
      await clock.advance(intervalMs)
      assert.equal(member.identity, undefined, 'no commit now')
      assert.deepEqual(told, ['gained 0,1', 'lost 0,1'])
      await clock.advance(intervalMs)
      assert.deepEqual(told, ['gained 0,1', 'lost 0,1', 'gained 0,1'])
      assert.partialDeepStrictEqual(beats[2], { epoch: 0, owned: {}, memberId: beats[0]!.memberId })
    })

  test('the answer to a drain of before the loss is waited for before the partition is taken again', async () => {
    const { clock, told, draining, world, next, start } = setup()
    await start()
    next.push({ epoch: 1, assigned: { first: [1] } }, { code: 110 })
    world.answer = { epoch: 3, assigned: { first: [0, 1] } }
    await clock.advance(2 * intervalMs)
    assert.deepEqual(told, ['gained 0,1', 'revoked 0', 'lost 0,1', 'gained 1'])
    draining[0]!.resolve()
    await clock.advance(0)
    assert.equal(told.at(-1), 'gained 0')
  })

  test('is in doubt, and loses nothing, while the coordinator is not heard for longer than a session', async () => {
    const { member, clock, told, world, start } = setup()
    await start()
    world.answer = new Error('silence')
    await clock.advance(sessionTimeoutMs - 1)
    assert.equal(member.unheard, false)
    await clock.advance(1)
    assert.equal(member.unheard, true)
    await clock.advance(10 * sessionTimeoutMs)
    assert.notEqual(member.identity, undefined, 'a commit tells, too, whether it is a member')
    world.answer = { epoch: 1, assigned: { first: [0, 1] } }
    await clock.advance(10_000)
    assert.equal(member.unheard, false)
    assert.deepEqual(told, ['gained 0,1'])
  })

  test('loses everything when it is a stranger to the coordinator that was not heard for a session', async () => {
    const { member, beats, clock, told, world, next, start } = setup()
    await start()
    world.answer = new Error('silence')
    await clock.advance(2 * sessionTimeoutMs)
    next.push({ code: 25 })
    world.answer = { epoch: 7, assigned: { first: [1] } }
    await clock.advance(5000)
    assert.deepEqual(told, ['gained 0,1', 'lost 0,1', 'gained 1'])
    const stranger = beats.findLast(({ epoch }) => epoch === 0)
    assert.deepEqual([member.unheard, stranger?.owned], [false, {}])
  })

  test('that was lost leaves before it joins where its join was heard and the answer was not', async () => {
    const { beats, clock, told, world, next, start } = setup()
    await start()
    next.push({ code: 110 })
    world.answer = new Error('silence')
    await clock.advance(sessionTimeoutMs)
    assert.deepEqual(told, ['gained 0,1', 'lost 0,1'])
    // It knows us still, so that it takes us for a fenced one.
    next.push({ code: 110 })
    world.answer = { epoch: 5, assigned: { first: [0] } }
    await clock.advance(10_000)
    const epochs = beats.map(({ epoch }) => epoch)
    assert.deepEqual(epochs.slice(epochs.lastIndexOf(-1) - 1, epochs.lastIndexOf(-1) + 3), [0, -1, 0, 5])
    assert.equal(told.at(-1), 'gained 0')
  })

  test('a topic that was made anew is given up as the old one and taken as the new one', async () => {
    const { clock, beats, told, draining, world, start } = setup()
    await start()
    world.answer = { epoch: 2, assigned: { second: [0, 1] } }
    await clock.advance(intervalMs)
    assert.deepEqual(told, ['gained 0,1', 'revoked 0,1'])
    assert.equal(world.refreshes, 1)
    world.topicId = 'second'
    draining[0]!.resolve()
    await clock.advance(intervalMs)
    assert.deepEqual(told, ['gained 0,1', 'revoked 0,1', 'gained 0,1'])
    assert.deepEqual(beats.at(-1)?.owned, { second: [0, 1] })
  })

  test('stops: drains while heartbeats go on, then leaves; a static member only for a moment', async () => {
    for (const [instanceId, epoch] of [
      [null, -1],
      ['one', -2]
    ] as const) {
      const { member, clock, beats, told, draining, start } = setup({ instanceId })
      await start()
      const stopped = member.stop()
      await clock.advance(2 * intervalMs)
      assert.deepEqual(told, ['gained 0,1', 'revoked 0,1'])
      assert.deepEqual(beats.at(-1)?.owned, { first: [0, 1] })
      draining[0]!.resolve()
      await clock.advance(0)
      await stopped
      assert.deepEqual([beats.at(-1)?.epoch, member.identity], [epoch, undefined])
      const sent = beats.length
      await clock.advance(60_000)
      assert.equal(beats.length, sent)
      assert.equal(clock.waiting, 0)
    }
  })

  test('leaves nothing when it never joined', async () => {
    const { member, beats, stop } = setup()
    await stop()
    assert.deepEqual([beats, member.identity], [[], undefined])
  })

  test('whoever was replaced under its name stays out, and says why', async () => {
    const { beats, clock, told, problems, next, start, stop } = setup({ instanceId: 'one' })
    await start()
    next.push({ code: 82 })
    await clock.advance(60_000)
    assert.equal(beats.length, 2)
    assert.deepEqual(told, ['gained 0,1', 'lost 0,1'])
    assert.match(problems.at(-1)?.message ?? '', /FENCED_INSTANCE_ID/)
    await stop()
  })

  test('a name that is not free yet is asked for until it is', async () => {
    const { beats, clock, told, problems, next, start } = setup({ instanceId: 'one' })
    next.push({ code: 111 }, { code: 111 })
    await start()
    assert.match(problems.at(-1)?.message ?? '', /UNRELEASED_INSTANCE_ID/)
    await clock.advance(10_000)
    assert.deepEqual(told, ['gained 0,1'])
    assert.equal(problems.at(-1), undefined)
    assert.deepEqual(
      beats.slice(0, 5).map(({ epoch }) => epoch),
      [0, -2, 0, -2, 0]
    )
  })

  test('says that broker or group do not take part, and ends; forced, it tells the user and goes on asking', async () => {
    for (const refuse of ['offer', 35, 69] as const) {
      for (const mayBeRefused of [true, false]) {
        const { beats, clock, refusals, problems, world, start, stop } = setup({}, mayBeRefused)
        if (refuse === 'offer') world.offered = false
        else world.answer = { code: refuse }
        await start()
        await clock.advance(5000)
        assert.equal(refusals.length, mayBeRefused ? 1 : 0)
        assert.equal(problems.length > 0, !mayBeRefused)
        if (refuse !== 'offer') assert.equal(beats.length > 1, !mayBeRefused)
        await stop()
      }
    }
  })
})
