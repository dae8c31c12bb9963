import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { ClassicMember } from '../../../src/adapters/kafka/member.ts'
import { NegotiatedMember } from '../../../src/adapters/kafka/negotiated-member.ts'
import type { EmbeddedBrokerOptions } from '../../../src/devbroker/broker.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { at, commitsOnRevoke, embeddedWorld, heartbeatOf, seen, until } from './embedded-world.ts'
import type { Opened } from './embedded-world.ts'

const both = ['classic', 'consumer'] as const
const ascending = (a: number, b: number) => a - b

/** The protocols under which the log says that the group was joined. */
const joinedBy = ({ log }: Opened) =>
  new Set(log.lines.filter(line => line.message === 'joined the group').map(line => line.fields['protocol']))

/** The type of the group, as the broker tells it to an administrator. */
async function typeOf(bootstrap: string, groupId = 'readers'): Promise<string | undefined> {
  const admin = new Admin({ clientId: 'admin', bootstrapBrokers: [bootstrap] })
  try {
    return (await admin.listGroups({ types: [...both] })).get(groupId)?.groupType
  } finally {
    await admin.close()
  }
}

suite('the group protocol', () => {
  const choices: [string, EmbeddedBrokerOptions, string][] = [
    ['is consumer where the broker offers it', {}, 'consumer'],
    ['is classic where the broker offers no other', { groupProtocols: ['classic'] }, 'classic'],
    ['is consumer where the broker offers no other', { groupProtocols: ['consumer'] }, 'consumer']
  ]
  for (const [title, options, expected] of choices)
    test(title, async t => {
      const { broker, open, put, owns } = await embeddedWorld(t, 2, 'auto', options)
      put(0, 'a')
      const opened = open()
      await owns(opened.listener, 0, 1)
      await seen(opened.listener, 1)
      await opened.consumer.commit([at(0, 1)])
      assert.equal(broker.committed('readers', 'orders', 0)?.offset, 1)
      assert.deepEqual(joinedBy(opened), new Set([expected]))
      assert.equal(await typeOf(broker.bootstrap), expected)
      assert.deepEqual(opened.listener.problems.filter(Boolean), [])
    })

  test('is classic where the broker knows the other but has it switched off', async t => {
    const { broker, open, owns } = await embeddedWorld(t, 1, 'auto')
    broker.answerNext(heartbeatOf.consumer, { error: 'UNSUPPORTED_VERSION' })
    const opened = open()
    await owns(opened.listener, 0)
    assert.deepEqual(joinedBy(opened), new Set(['classic']))
    await opened.consumer.stop()
    assert.equal(broker.groupState('readers')?.members, 0)
  })

  test('is that of the members that are there, and the next one’s own when they have gone', async t => {
    const { broker, open, put, owns } = await embeddedWorld(t, 2, 'auto')
    const old = open({ groupProtocol: 'classic' })
    commitsOnRevoke(old)
    await owns(old.listener, 0, 1)
    const young = open()
    commitsOnRevoke(young)
    put(0, 'a')
    put(1, 'b')
    await until(() => old.listener.owned.size === 1 && young.listener.owned.size === 1, 'one partition each')
    await until(() => old.listener.records.length + young.listener.records.length === 2, 'both records')
    assert.deepEqual(joinedBy(young), new Set(['classic']))
    await Promise.all([old.consumer.stop(), young.consumer.stop()])
    const next = open()
    put(0, 'c')
    await seen(next.listener, 1)
    assert.deepEqual([next.listener.values(), joinedBy(next)], [['c'], new Set(['consumer'])])
    assert.ok(
      next.listener.assignments.every(each => !each.fresh),
      'it went on behind what was committed'
    )
    assert.equal(await typeOf(broker.bootstrap), 'consumer')
  })

  test('when forced is that one, and a broker without it is a problem that says so', async t => {
    const { broker, open, owns } = await embeddedWorld(t, 1, 'consumer', { groupProtocols: ['classic'] })
    const { listener } = open()
    await until(() => listener.problemNow !== undefined, 'the problem is told')
    assert.match(listener.problemNow?.message ?? '', /group readers.*protocol consumer.*does not offer it/)
    const classic = open({ groupProtocol: 'classic', groupId: 'others' })
    await owns(classic.listener, 0)
    assert.equal(await typeOf(broker.bootstrap, 'others'), 'classic')
  })

  test('once the consumer is stopped is not negotiated any more', async () => {
    const log = new RecordingLog()
    let refuse: (why: string) => void = () => undefined
    const never = Object.assign(Object.create(ClassicMember.prototype) as ClassicMember, {
      start: () => undefined,
      stop: () => Promise.resolve()
    })
    const member = new NegotiatedMember(
      { consumer: refused => ((refuse = refused), never), classic: () => assert.fail('no other is opened') },
      log
    )
    await member.stop()
    refuse('too late')
    assert.deepEqual(log.lines, [])
  })

  test('of a commit or a read with a stale epoch: a heartbeat, then once more', async t => {
    const { broker, open, put, owns } = await embeddedWorld(t, 1, 'consumer', { consumerHeartbeatIntervalMs: 60_000 })
    put(0, 'a')
    broker.answerNext('OffsetFetch', { delayMs: 0 })
    const { consumer, listener, log } = open()
    await owns(listener, 0)
    await seen(listener, 1)
    broker.answerNext('OffsetCommit', { error: 'STALE_MEMBER_EPOCH' }, 2)
    await consumer.commit([at(0, 1)])
    assert.equal(broker.committed('readers', 'orders', 0)?.offset, 1)
    await consumer.stop()
    // The first read comes before the join, for the history of the group; the second is the member's.
    broker.answerNext('OffsetFetch', { delayMs: 0 })
    broker.answerNext('OffsetFetch', { error: 'STALE_MEMBER_EPOCH' })
    const again = open()
    await owns(again.listener, 0)
    assert.ok(again.log.messages('warn').includes('cannot find where to begin yet'))
    assert.deepEqual(log.messages('error'), [])
  })
})

for (const groupProtocol of both) suite(`static members by the protocol ${groupProtocol}`, () => statics(groupProtocol))

function statics(groupProtocol: 'classic' | 'consumer'): void {
  const pair = async (t: TestContext, options: EmbeddedBrokerOptions = {}) => {
    const world = await embeddedWorld(t, 4, groupProtocol, options)
    const one = () => {
      const opened = world.open({ groupInstanceId: 'one' })
      commitsOnRevoke(opened)
      return opened
    }
    const first = one()
    await world.owns(first.listener, 0, 1, 2, 3)
    const other = world.open({ groupInstanceId: 'other' })
    commitsOnRevoke(other)
    await until(() => first.listener.owned.size === 2 && other.listener.owned.size === 2, 'two partitions each')
    await until(() => world.broker.groupState('readers')?.state === 'Stable', 'stable')
    return { ...world, one, first, other }
  }

  test('one that is stopped and started again goes on where it was, and no other hears of it', async t => {
    const { broker, put, one, first, other } = await pair(t)
    const had = [...first.listener.owned].sort(ascending)
    const heard = other.listener.events.length
    await first.consumer.stop()
    assert.equal(broker.groupState('readers')?.members, 2)
    for (const partition of had) put(partition, `for ${partition}`)
    const back = one()
    await until(() => back.listener.owned.size === 2, 'assigned again')
    await seen(back.listener, 2)
    assert.deepEqual([...back.listener.owned].sort(ascending), had)
    for (let partition = 0; partition < 4; partition++) put(partition, 'later')
    await until(() => back.listener.records.length === 4 && other.listener.records.length === 2, 'all records')
    assert.equal(other.listener.events.length, heard)
  })

  test('a second one of the same name does not fight over it', async t => {
    const { one, first, other } = await pair(t)
    const second = one()
    // By the classic protocol the newer one wins; by the other it waits until the older one has gone.
    const [out, inside] = groupProtocol === 'classic' ? [first, second] : [second, first]
    await until(() => out.listener.problemNow !== undefined, 'one of them is told')
    assert.match(out.listener.problemNow?.message ?? '', /(FENCED|UNRELEASED)_INSTANCE_ID/)
    await until(() => inside.listener.owned.size === 2, 'the other has its partitions')
    assert.equal(out.listener.owned.size, 0)
    const heard = inside.listener.events.length
    const sinceMs = performance.now()
    await until(() => performance.now() - sinceMs > 1500, 'a while')
    assert.equal(inside.listener.events.length, heard)
    assert.equal(other.listener.owned.size, 2)
  })
}
