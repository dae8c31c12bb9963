import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { TopicUnreadable } from '../../../src/adapters/kafka/range-reader.ts'
import type { ReadTopicOptions } from '../../../src/adapters/kafka/topic-reader.ts'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'
import type { ConsumerProblem } from '../../../src/ports/consumer.ts'
import { until } from './embedded-world.ts'
import { openReading, takeRecords, values, written } from './writing-world.ts'

async function setup(t: TestContext, partitions = 2) {
  const broker = new EmbeddedBroker()
  await broker.start()
  broker.createTopic('orders', { partitions })
  t.after(() => broker.stop())
  const put = (partition: number, ...records: (readonly [value: string, timestamp: number])[]) =>
    broker.append(
      'orders',
      partition,
      records.map(([value, timestamp]) => ({ value, timestamp }))
    )
  const read = async (options: Partial<ReadTopicOptions> = {}) =>
    values(await written([broker.bootstrap], 'orders', options))
  /** Reads on until the test ends, or `stop`. */
  const follow = (options: Partial<ReadTopicOptions> = {}) => {
    const abort = new AbortController()
    const seen: string[] = []
    const problems: (ConsumerProblem | undefined)[] = []
    const ended = (async () => {
      const { signal } = abort
      const problem = (each: ConsumerProblem | undefined) => problems.push(each)
      const blocks = openReading([broker.bootstrap], 'orders', { follow: true, signal, problem, ...options })
      for await (const block of blocks) seen.push(...values(takeRecords(block)).map(String))
    })()
    const stop = () => {
      abort.abort()
      return ended
    }
    t.after(stop)
    const sees = (count: number) => until(() => seen.length >= count, `${count} records`)
    return { seen, problems, ended, stop, sees }
  }
  return { broker, put, read, follow }
}

suite('reading a topic to its end', () => {
  test('from the earliest: everything that was there at the beginning', async t => {
    const { put, read } = await setup(t)
    put(0, ['a', 1], ['b', 2])
    put(1, ['c', 3])
    assert.deepEqual(await read(), ['a', 'b', 'c'])
  })

  test('from the latest, and of an empty topic: nothing', async t => {
    const { put, read } = await setup(t)
    assert.deepEqual(await read(), [])
    put(0, ['a', 1])
    assert.deepEqual(await read({ from: 'latest' }), [])
  })

  test('from a time: what is as young or younger', async t => {
    const { put, read } = await setup(t)
    put(0, ['a', 1], ['b', 5])
    put(1, ['c', 3], ['d', 4], ['e', 6])
    assert.deepEqual(await read({ from: { timestampMs: 4 } }), ['b', 'd', 'e'])
    assert.deepEqual(await read({ from: { timestampMs: 7 } }), [])
  })

  test('the last so many by time over all partitions', async t => {
    const { put, read } = await setup(t)
    put(0, ['a', 1], ['b', 2], ['c', 9])
    put(1, ['d', 3])
    put(1, ['e', 4], ['f', 5])
    assert.deepEqual(await read({ from: { last: 3 } }), ['c', 'e', 'f'])
    assert.deepEqual(await read({ from: { last: 100 } }), ['a', 'b', 'c', 'd', 'e', 'f'])
    assert.deepEqual(await read({ from: { last: 0 } }), [])
  })

  test('some partitions alone', async t => {
    const { put, read } = await setup(t, 3)
    for (const partition of [0, 1, 2]) put(partition, [`${partition}`, 1])
    assert.deepEqual(await read({ partitions: [2, 0] }), ['0', '2'])
    assert.deepEqual(await read({ partitions: [1], from: { last: 5 } }), ['1'])
  })

  test('a start that retention has removed is where the log begins', async t => {
    const { broker, put, read } = await setup(t)
    put(0, ['a', 1], ['b', 2], ['c', 3])
    broker.deleteRecords('orders', 0, 2)
    assert.deepEqual(await read(), ['c'])
  })

  test('leaves no group and no commit behind', async t => {
    const { broker, put, read } = await setup(t)
    const commits: unknown[] = []
    broker.onCommit(commit => commits.push(commit))
    put(0, ['a', 1])
    await read()
    assert.deepEqual(commits, [])
  })

  test('more than is read ahead comes whole, and nothing is kept when the reader leaves early', async t => {
    const { broker, put, read } = await setup(t)
    for (let i = 0; i < 40; i++) put(i % 2, [`${i}`.padEnd(300_000, '.'), i])
    assert.equal((await read()).length, 40)
    for await (const block of openReading([broker.bootstrap], 'orders')) {
      block.finish(block.count)
      break
    }
  })

  test('a connection that breaks is made again, and nothing comes twice', async t => {
    const { broker, put, read } = await setup(t)
    put(0, ['a', 1], ['b', 2])
    broker.answerNext('Fetch', { dropConnection: true }, 2)
    assert.deepEqual(await read(), ['a', 'b'])
  })
})

suite('following a topic', () => {
  test('goes on with what comes', async t => {
    const { put, follow } = await setup(t)
    put(0, ['old', 1])
    const { seen, sees, stop } = follow({ from: { last: 1 } })
    await sees(1)
    put(1, ['new', 2])
    await sees(2)
    assert.deepEqual(seen, ['old', 'new'])
    await stop()
  })

  test('outlives a broker that is away, and tells of it', async t => {
    const { broker, put, follow } = await setup(t)
    put(0, ['a', 1])
    const { seen, sees, problems } = follow()
    await sees(1)
    await broker.stop()
    await until(() => problems.at(-1)?.kind === 'connection', 'the outage is told')
    await broker.start()
    put(0, ['b', 2])
    await sees(2)
    await until(() => problems.at(-1) === undefined, 'the end of the outage is told')
    assert.deepEqual(seen, ['a', 'b'])
  })

  test('the signal ends it quietly, also while it looks for the cluster', async t => {
    const { broker, follow } = await setup(t)
    await broker.stop()
    await follow().stop()
  })
})

suite('a topic that cannot be read', () => {
  const unreadable = (message: RegExp) => (error: unknown) => {
    assert.ok(error instanceof TopicUnreadable, String(error))
    assert.match(error.message, message)
    return true
  }

  test('does not exist', async t => {
    const { broker } = await setup(t)
    await assert.rejects(
      written([broker.bootstrap], 'nowhere'),
      unreadable(/^Topic nowhere does not exist on .*: create/)
    )
  })

  test('has no such partition', async t => {
    const { read } = await setup(t)
    await assert.rejects(read({ partitions: [0, 7] }), unreadable(/^Topic orders has no partition 7: it has 2/))
  })

  test('may not be read by us', async t => {
    const { broker, read } = await setup(t)
    broker.answerNext('Metadata', { error: 'TOPIC_AUTHORIZATION_FAILED' })
    await assert.rejects(read(), unreadable(/^Cannot read topic orders on .*TOPIC_AUTHORIZATION_FAILED/))
  })

  test('lies on a cluster that is not there', async t => {
    const { broker } = await setup(t)
    await broker.stop()
    const reading = written([broker.bootstrap], 'orders', {}, { startTimeoutMs: 200 })
    await assert.rejects(reading, unreadable(/^Cannot read topic orders on .*ECONNREFUSED/))
  })
})
