import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { BufferPool } from '../../../src/adapters/kafka/buffer-pool.ts'
import { Cluster } from '../../../src/adapters/kafka/cluster.ts'
import { Fetcher } from '../../../src/adapters/kafka/fetcher.ts'
import type { FetchSettings } from '../../../src/adapters/kafka/fetcher.ts'
import { errorName, ProblemBoard } from '../../../src/adapters/kafka/problems.ts'
import { TopicWatch } from '../../../src/adapters/kafka/topic-watch.ts'
import type { Block } from '../../../src/core/record.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { FetchMemory } from '../../../src/ports/memory.ts'
import { MemoryBudget } from '../../../src/poller/memory-budget.ts'
import { eventually } from '../../support/poll.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { batchOf, valued } from './batches.ts'
import { RecordingListener, recordsOf } from './recording-listener.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const speed = 20

/** Time that runs faster, so that slow retries are not slow here. */
const quickClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now() * speed,
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs / speed)
    return () => clearTimeout(timer)
  },
  chance: () => 0.5
}

async function setup(t: TestContext, partitions = 2, settings: Partial<FetchSettings> = {}, memory?: FetchMemory) {
  const broker = await ScriptedBroker.open()
  broker.partitions = partitions
  const pool = new BufferPool(1 << 20)
  const log = new RecordingLog()
  const listener = new RecordingListener()
  const problems = new ProblemBoard(problem => listener.problem(problem), quickClock)
  const address = `127.0.0.1:${broker.port}`
  const cluster = new Cluster(
    { bootstrapServers: [address], clientId: 'test', connectTimeoutMs: 40_000, requestTimeoutMs: 40_000 },
    { clock: quickClock, pool }
  )
  const watch: TopicWatch = new TopicWatch('orders', 600_000, {
    cluster,
    clock: quickClock,
    log,
    problems,
    changed: topic => fetcher.setTopic(topic)
  })
  const resets: number[] = []
  const reset = { to: 0 as number | undefined }
  const fetcher = new Fetcher(
    { maxWaitMs: 500, maxBytes: 4 << 20, partitionMaxBytes: 1 << 20, requestTimeoutMs: 40_000, ...settings },
    {
      cluster,
      clock: quickClock,
      log,
      problems,
      sink: listener,
      ...(memory === undefined ? {} : { memory }),
      refreshTopic: () => watch.refresh(),
      resetOffset: partition => {
        resets.push(partition)
        return Promise.resolve(reset.to)
      }
    }
  )
  t.after(async () => {
    fetcher.stop()
    watch.stop()
    await cluster.close()
    broker.close()
  })
  for (let partition = 0; partition < partitions; partition++) {
    fetcher.add({ topic: 'orders', partition }, 0)
    listener.owned.add(partition)
  }
  watch.start()
  /** Every partition has a batch of one record at each of its first `count` offsets. */
  const holds = (count: number) => (partition: number, offset: number) =>
    offset < count ? { records: batchOf([valued(`${partition}:${offset}`)], 'none', offset) } : undefined
  /** Another broker of the cluster; the first one tells of it. */
  const another = async (node: number) => {
    const other = await ScriptedBroker.open()
    t.after(() => other.close())
    broker.others.set(node, other.port)
    return other
  }
  return { broker, another, fetcher, listener, watch, pool, log, reset, resets, holds }
}

const until = (check: () => boolean, describe: string | (() => string)) =>
  eventually(check, { describe, intervalMs: 5, timeoutMs: 10_000 })

suite('the fetcher', () => {
  for (const code of [3, 5, 6, 9, 56, 74, 75, 78, 100])
    test(`${errorName(code)} on one partition: its leader is looked up again, the other partition goes on`, async t => {
      const { broker, listener, holds } = await setup(t)
      let refusals = 2
      broker.answer = (partition, offset) =>
        partition === 0 && offset === 1 && refusals-- > 0 ? { errorCode: code } : holds(3)(partition, offset)
      await until(
        () => listener.records.length === 6,
        () => `six records: ${listener.values().join()}`
      )
      assert.deepEqual(listener.values(0), ['0:0', '0:1', '0:2'])
      assert.deepEqual(listener.values(1), ['1:0', '1:1', '1:2'])
      assert.ok(broker.metadataRequests >= 2)
      assert.deepEqual(listener.problems, [])
    })

  test('a partition that may not be read is a problem of authorization until it may, and stops no other', async t => {
    const { broker, listener, holds } = await setup(t)
    let allowed = false
    broker.answer = (partition, offset) =>
      partition === 0 && !allowed ? { errorCode: 29 } : holds(2)(partition, offset)
    await until(() => listener.problemNow?.kind === 'authorization', 'told')
    assert.match(listener.problemNow?.message ?? '', /partition 0 of orders: TOPIC_AUTHORIZATION_FAILED/)
    await until(() => listener.values(1).length === 2, 'the other one')
    assert.ok(broker.fetches.get(0)! < 3, 'it is not asked in a hurry')
    allowed = true
    await until(() => listener.values(0).length === 2, 'allowed')
    assert.equal(listener.problemNow, undefined)
  })

  test('an error code from the future is retried, and told when it lasts', async t => {
    const { broker, listener, holds } = await setup(t)
    let refused = true
    broker.answer = (partition, offset) =>
      partition === 1 && refused ? { errorCode: 4711 } : holds(1)(partition, offset)
    await until(() => listener.problemNow !== undefined, 'told')
    assert.match(listener.problemNow?.message ?? '', /error 4711/)
    refused = false
    await until(() => listener.records.length === 2 && listener.problemNow === undefined, 'well again')
  })

  test('a corrupt batch stops its partition before it, is told, and is never skipped', async t => {
    const { broker, listener, holds } = await setup(t)
    let corrupt = true
    broker.answer = (partition, offset) => {
      const share = holds(3)(partition, offset)
      if (partition === 0 && offset === 1 && corrupt) share!.records[70]! ^= 1
      return share
    }
    await until(() => listener.problemNow?.kind === 'corrupt', 'told')
    assert.match(listener.problemNow?.message ?? '', /partition 0 of orders.*offset 1 has checksum/)
    await until(() => listener.values(1).length === 3, 'the other one')
    assert.deepEqual(listener.values(0), ['0:0'])
    corrupt = false
    await until(() => listener.values(0).length === 3, 'repaired')
    assert.deepEqual(listener.values(0), ['0:0', '0:1', '0:2'])
    assert.equal(listener.problemNow, undefined)
  })

  test('what is no Fetch response closes the connection; on the next one all goes on', async t => {
    const { broker, listener, holds, pool } = await setup(t)
    broker.answer = holds(2)
    let nonsense = 2
    broker.wholeAnswer = () => (nonsense-- > 0 ? Buffer.alloc(40, 0x7f) : undefined)
    await until(() => listener.records.length === 4, 'all records')
    assert.ok(broker.connections >= 4, 'one for metadata, three for fetches')
    assert.equal(pool.heldBytes, 0)
  })

  test('an answer for a partition that has gone meanwhile, or was taken back, is dropped', async t => {
    const { broker, fetcher, listener, holds, pool } = await setup(t, 1)
    let asked = false
    broker.answer = (partition, offset) => {
      if (asked) return undefined
      asked = true
      // Both before the answer is read: the connection is another process's as far as this one knows.
      fetcher.remove(partition)
      fetcher.add({ topic: 'orders', partition }, 5)
      return holds(1)(partition, offset)
    }
    await until(() => (broker.fetches.get(0) ?? 0) > 1, 'asked again')
    assert.deepEqual(listener.records, [])
    assert.equal(pool.heldBytes, 0)
  })

  test('out of range: goes on where the policy says, told once', async t => {
    const { broker, listener, reset, resets } = await setup(t, 1)
    reset.to = 40
    broker.answer = (_, offset) =>
      offset < 40
        ? { errorCode: 1 }
        : offset === 40
          ? { records: batchOf([valued('first left')], 'none', 40) }
          : undefined
    await until(() => listener.records.length === 1, 'read')
    assert.deepEqual(listener.events, ['jumped 0 0->40'])
    assert.deepEqual(resets, [0])
  })

  test('out of range while nobody knows where to go on is tried again, and told when it lasts', async t => {
    const { broker, listener, reset } = await setup(t, 1)
    reset.to = undefined
    broker.answer = () => ({ errorCode: 1 })
    await until(() => listener.problemNow?.kind === 'offset-out-of-range', 'told')
    assert.deepEqual(listener.events, [])
  })

  test('what a listener fails to take is given to it again, not lost', async t => {
    const { broker, listener, holds } = await setup(t, 1)
    broker.answer = holds(3)
    const take = listener.fetched.bind(listener)
    let failures = 2
    listener.fetched = block => {
      if (block.offsets[0] === 1 && failures-- > 0) throw new Error('no room')
      take(block)
    }
    await until(() => listener.records.length === 3, 'all')
    assert.deepEqual(listener.values(), ['0:0', '0:1', '0:2'])
  })

  test('a batch larger than was asked for is asked for with more', async t => {
    const { broker, listener } = await setup(t, 1)
    const whole = batchOf([valued('x'.repeat(5000))])
    let asked = 0
    broker.answer = (_, offset) => (offset > 0 ? undefined : { records: ++asked < 3 ? whole.subarray(0, 500) : whole })
    await until(() => listener.records.length === 1, 'read')
  })

  test('of an answer that inflates to much, what comes after the partition is full is fetched again later', async t => {
    const { broker, fetcher, listener } = await setup(t, 1)
    const big = (offset: number) => batchOf([{ value: Buffer.alloc(5 << 20, 97) }], 'gzip', offset)
    broker.answer = (_, offset) =>
      offset < 3 ? { records: Buffer.concat([0, 1, 2].slice(offset).map(each => big(each))) } : undefined
    const take = listener.fetched.bind(listener)
    listener.fetched = block => {
      take(block)
      listener.paused.add(0)
    }
    const offsets = () => listener.records.map(record => record.offset)
    for (const expected of [[0], [0, 1], [0, 1, 2]]) {
      await until(() => listener.records.length === expected.length, 'the next')
      assert.deepEqual(offsets(), expected)
      listener.paused.delete(0)
      fetcher.pump()
    }
  })

  test('a small share of a large answer does not hold the large buffer', async t => {
    const { broker, listener, pool } = await setup(t)
    const large = batchOf([valued('x'.repeat(500_000))])
    broker.answer = (partition, offset) =>
      offset > 0 ? undefined : { records: partition === 0 ? large : batchOf([valued('small')]) }
    const blocks: Block[] = []
    listener.fetched = block => void blocks.push(block)
    await until(() => blocks.length === 2, 'both')
    const [first, second] = blocks.toSorted((a, b) => a.partition - b.partition)
    assert.ok(pool.heldBytes >= 500_000)
    first!.finish(1)
    assert.equal(pool.heldBytes, 0)
    assert.equal(recordsOf(second!)[0]!.value, 'small')
  })

  test('a partition that is never wanted is never asked for', async t => {
    const { broker, listener, holds } = await setup(t)
    listener.paused.add(0)
    broker.answer = holds(3)
    await until(() => listener.values(1).length === 3, 'the other one')
    const before = broker.fetches.get(0) ?? 0
    await until(() => (broker.fetches.get(1) ?? 0) > 6, 'some rounds')
    assert.equal(broker.fetches.get(0) ?? 0, before)
  })
})

suite('long polls', () => {
  test('about all partitions of a broker are long, about some of them short', async t => {
    const { broker, fetcher, listener } = await setup(t, 3, { idleWaitMs: 5000 })
    await until(() => broker.polls.length > 2, 'idle')
    assert.deepEqual(broker.polls.at(-1), { waitMs: 5000, maxBytes: 4 << 20, partitions: [0, 1, 2] })
    listener.paused.add(1)
    await until(() => broker.polls.at(-1)?.partitions.length === 2, 'one paused')
    assert.ok(broker.polls.at(-1)!.waitMs <= 500)
    listener.paused.delete(1)
    fetcher.pump()
    await until(
      () => broker.polls.at(-1)?.waitMs === 5000,
      () => `together again: ${JSON.stringify(broker.polls.slice(-4))}`
    )
    assert.deepEqual(
      broker.polls.at(-1)!.partitions.toSorted((a, b) => a - b),
      [0, 1, 2]
    )
  })

  test('that run beside each other become one', async t => {
    const { broker, fetcher, listener } = await setup(t, 2, { idleWaitMs: 5000 })
    broker.idleMs = 5000 / speed
    listener.paused.add(1)
    fetcher.pump()
    await until(() => broker.polls.length > 0, 'the first')
    listener.paused.delete(1)
    fetcher.pump()
    await until(() => broker.polls.at(-1)?.partitions.join() === '1', 'the second')
    const isTogether = () => broker.polls.at(-1)!.partitions.length === 2 && broker.polls.at(-1)!.waitMs === 5000
    await until(isTogether, () => `together: ${JSON.stringify(broker.polls)}`)
  })

  test('at a leader that was replaced keep nobody waiting', async t => {
    const { broker, another, watch, listener, holds } = await setup(t, 1)
    const other = await another(2)
    other.answer = holds(1)
    broker.hangs = true
    await until(() => broker.polls.length > 0, 'asked')
    broker.leader = 2
    broker.leaderEpoch = 1
    watch.refresh()
    await until(() => listener.records.length === 1, 'read')
  })
})

suite('reading from a replica beside us (KIP-392)', () => {
  /** The leader (node 1) sends whoever names the rack to node 2. */
  async function besideUs(t: TestContext, followerMaxAgeMs = 600_000) {
    const world = await setup(t, 1, { rack: 'a', followerMaxAgeMs })
    const follower = await world.another(2)
    const { broker: leader, holds } = world
    const sent = (partition: number, offset: number) =>
      leader.racks.at(-1) === 'a' ? { preferredReadReplica: 2 } : holds(100)(partition, offset)
    leader.answer = sent
    return { ...world, leader, follower, sent }
  }

  test('follows the leader that names it, and reads on there', async t => {
    const { leader, follower, listener, holds } = await besideUs(t)
    follower.answer = holds(3)
    await until(() => listener.records.length === 3, 'read')
    await until(() => follower.polls.length > 5, 'some rounds')
    assert.equal(leader.polls.length, 1)
    assert.ok(follower.polls.every(({ waitMs }) => waitMs === 500))
  })

  test('without a rack nobody is sent anywhere', async t => {
    const { broker, listener, holds } = await setup(t, 1)
    broker.answer = holds(2)
    await until(() => listener.records.length === 2, 'read')
    assert.deepEqual([...new Set(broker.racks)], [''])
  })

  for (const code of [1, 3, 6, 9, 74, 78])
    test(`${errorName(code)} there: the leader is asked at once, and it alone decides what follows`, async t => {
      const { leader, follower, listener, resets, holds } = await besideUs(t)
      follower.answer = (partition, offset) => (offset === 2 ? { errorCode: code } : holds(3)(partition, offset))
      await until(
        () => listener.records.length === 100,
        () => `all: ${listener.records.length}`
      )
      assert.deepEqual(resets, [])
      assert.deepEqual(listener.problems, [])
      assert.ok(follower.polls.length <= 3 && leader.polls.length > 90)
    })

  test('out of range at the leader as well is a reset', async t => {
    const { leader, follower, reset, resets, listener, sent, holds } = await besideUs(t)
    follower.answer = () => ({ errorCode: 1 })
    leader.answer = (partition, offset) => {
      if (leader.racks.at(-1) === 'a') return sent(partition, offset)
      return offset < 40 ? { errorCode: 1 } : holds(41)(partition, offset)
    }
    reset.to = 40
    await until(() => listener.records.length === 1, 'read')
    assert.deepEqual([resets, listener.events], [[0], ['jumped 0 0->40']])
  })

  test('a replica that cannot be reached: its leader is read from', async t => {
    const { follower, listener } = await besideUs(t)
    follower.close()
    await until(
      () => listener.records.length === 100,
      () => `all: ${listener.records.length}`
    )
  })

  test('after a while the leader is asked again', async t => {
    const { leader, follower } = await besideUs(t, 1000)
    await until(() => leader.polls.length > 2 && follower.polls.length > 2, 'both')
  })
})

suite('memory that is shared', () => {
  test('a poll asks for no more than there is room for, and what it brought counts until it is finished', async t => {
    const budget = new MemoryBudget(8 << 20)
    const memory = budget.open()
    const { broker, fetcher, listener, holds } = await setup(t, 2, {}, memory)
    const kept: Block[] = []
    listener.fetched = block => void kept.push(block)
    broker.answer = holds(3)
    await until(() => kept.length === 6, 'all records')
    assert.ok(broker.polls[0]!.maxBytes < 4 << 20, String(broker.polls[0]!.maxBytes))
    assert.ok(memory.heldBytes > 0)
    fetcher.stop()
    for (const block of kept) block.finish(block.count)
    await until(() => budget.use.polls === 0, 'the last poll')
    assert.deepEqual(budget.use, { fetchedBytes: 0, eventBytes: 0, polls: 0, pollers: 1 })
  })
})
