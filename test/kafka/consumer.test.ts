import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { eventually } from '../support/poll.ts'
import { consumersOn, numbered, owns, readPast, seen, sorted, until } from './consumers.ts'

await kafkaSuite('a consumer on one Kafka broker', runTool => {
  const kafka = kafkaForSuite({ serverProperties: { 'group.min.session.timeout.ms': '1000' } })
  const open = consumersOn(kafka)
  const foreign = () =>
    new Kafka({ clientId: 'foreign', brokers: kafka.bootstrap(), logLevel: logLevel.NOTHING, retry: { retries: 5 } })

  test('reads every codec, in order, with empty and null values', async () => {
    await kafka.createTopic('codecs', { partitions: 1 })
    const expected: (string | null)[] = []
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
      const values = [...numbered(codec, 300), '', null]
      expected.push(...values)
      await kafka.produce(
        'codecs',
        values.map(value => ({ key: 'k', value, headers: [['h', codec]], partition: 0 })),
        codec
      )
    }
    const { listener } = open('codecs')
    await seen(listener, expected.length)
    assert.deepEqual(listener.values(), expected)
    assert.equal(listener.problemNow, undefined)
  })

  test("reads what Java's producer compresses: it frames snappy and lz4 in its own way", async () => {
    await kafka.createTopic('java', { partitions: 1 })
    const lines = numbered('a line that repeats itself, itself, itself', 3000)
    for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
      const { code, stderr } = await runTool(
        'org.apache.kafka.tools.ConsoleProducer',
        ['--bootstrap-server', kafka.bootstrap()[0]!, '--topic', 'java', '--compression-codec', codec],
        { stdin: lines.map(line => `${codec} ${line}\n`).join('') }
      )
      assert.equal(code, 0, stderr)
    }
    const { listener } = open('java')
    await seen(listener, 12_000)
    assert.deepEqual(
      listener.values(),
      ['gzip', 'snappy', 'lz4', 'zstd'].flatMap(codec => lines.map(line => `${codec} ${line}`))
    )
  })

  test('commits with metadata, and a restart goes on behind what was committed', async () => {
    await kafka.createTopic('restart', { partitions: 2 })
    await kafka.produce(
      'restart',
      ['a', 'b', 'c'].map(value => ({ value, partition: 0 }))
    )
    const first = open('restart')
    await seen(first.listener, 3)
    await first.consumer.commit([{ topic: 'restart', partition: 0, offset: 2, metadata: 'done: 2' }])
    first.listener.onRevoked = () => Promise.resolve()
    await first.consumer.stop()
    assert.deepEqual(Object.fromEntries(await kafka.committed('restart-readers', 'restart')), {
      0: { offset: 2n, metadata: 'done: 2' },
      1: { offset: 0n, metadata: '' }
    })
    const second = open('restart')
    await seen(second.listener, 1)
    assert.deepEqual(second.listener.values(), ['c'])
  })

  test('records of aborted transactions never come; committed ones and those between do', async () => {
    await kafka.createTopic('transactions', { partitions: 1 })
    const producer = foreign().producer({ transactionalId: 'tx', idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const transact = async (value: string, end: 'commit' | 'abort') => {
      const transaction = await producer.transaction()
      for (const each of numbered(value, 3))
        await transaction.send({ topic: 'transactions', messages: [{ value: each, partition: 0 }] })
      await transaction[end]()
    }
    await transact('aborted first', 'abort')
    await transact('kept', 'commit')
    await transact('aborted', 'abort')
    await transact('aborted again', 'abort')
    await kafka.produce('transactions', [{ value: 'plain', partition: 0 }])
    await transact('aborted last', 'abort')
    await producer.disconnect()
    const { listener } = open('transactions')
    await seen(listener, 4)
    const [end] = (await kafka.endOffsets('transactions')).values()
    await until(() => listener.skips.at(-1)?.nextOffset === Number(end), 'the aborted end is told as skipped')
    assert.deepEqual(listener.values(), [...numbered('kept', 3), 'plain'])
  })

  test('partitions that are added are read from their start, also under LATEST', async () => {
    await kafka.createTopic('growing', { partitions: 1 })
    await kafka.produce('growing', [{ value: 'before', partition: 0 }])
    const { listener } = open('growing', { startingPosition: { kind: 'LATEST' } })
    await owns(listener, 1)
    await kafka.addPartitions('growing', 3)
    await kafka.produce('growing', [
      { value: 'one', partition: 1 },
      { value: 'two', partition: 2 }
    ])
    await seen(listener, 2)
    assert.deepEqual(sorted(listener.values()), ['one', 'two'])
  })

  test('records that retention removed are jumped over, and that is told', async () => {
    await kafka.createTopic('retained', { partitions: 1 })
    await kafka.produce(
      'retained',
      numbered('r', 10).map(value => ({ value, partition: 0 }))
    )
    const first = open('retained')
    await seen(first.listener, 10)
    await first.consumer.commit([{ topic: 'retained', partition: 0, offset: 3 }])
    first.listener.onRevoked = () => Promise.resolve()
    await first.consumer.stop()
    const admin = new Admin({ clientId: 'admin', bootstrapBrokers: kafka.bootstrap() })
    await admin.deleteRecords({ topics: [{ name: 'retained', partitions: [{ partition: 0, offset: 7n }] }] })
    await admin.close()
    const { listener } = open('retained')
    await seen(listener, 3)
    assert.deepEqual(listener.events, ['assigned 0', 'jumped 0 3->7'])
  })

  test('a topic that is deleted and made anew is read from its new start', async () => {
    await kafka.createTopic('renewed', { partitions: 1 })
    await kafka.produce(
      'renewed',
      numbered('old', 5).map(value => ({ value, partition: 0 }))
    )
    const { listener } = open('renewed', { startingPosition: { kind: 'LATEST' } })
    await owns(listener, 1)
    await kafka.deleteTopic('renewed')
    await until(() => listener.problemNow?.kind === 'unknown-topic', 'told')
    await kafka.createTopic('renewed', { partitions: 1 })
    await kafka.produce(
      'renewed',
      numbered('new', 8).map(value => ({ value, partition: 0 }))
    )
    await seen(listener, 8)
    assert.deepEqual(listener.values(), numbered('new', 8))
    assert.deepEqual(listener.events, ['assigned 0', 'jumped 0 5->0'])
    await until(
      () => listener.problemNow === undefined,
      () => `well again; ${listener.problemNow?.message}`
    )
  })

  test('a record larger than a whole fetch may be is read', async () => {
    await kafka.createTopic('large', { partitions: 2, config: { 'max.message.bytes': '20000000' } })
    const large = 'x'.repeat(900_000)
    await kafka.produce('large', [
      { value: large, partition: 0 },
      { value: 'small', partition: 1 },
      { value: 'next', partition: 0 }
    ])
    const { listener } = open('large', {}, { fetchMaxBytes: 100_000, partitionMaxBytes: 50_000 })
    await seen(listener, 3)
    assert.deepEqual(listener.values(0), [large, 'next'])
  })

  test('an unknown topic is told and waited for', async () => {
    const { listener } = open('unborn')
    await until(() => listener.problemNow?.kind === 'unknown-topic', 'told')
    await kafka.createTopic('unborn', { partitions: 1 })
    await kafka.produce('unborn', [{ value: 'born', partition: 0 }])
    await seen(listener, 1)
    assert.equal(listener.problemNow, undefined)
  })

  test('members come and go without a record lost or read twice', async () => {
    await kafka.createTopic('shared', { partitions: 6 })
    const produce = (round: number) =>
      kafka.produce(
        'shared',
        [0, 1, 2, 3, 4, 5].map(partition => ({ value: `${round}/${partition}`, partition }))
      )
    const first = open('shared')
    await owns(first.listener, 6)
    await produce(0)
    const second = open('shared')
    const third = open('shared')
    await produce(1)
    await until(() => [first, second, third].every(each => each.listener.owned.size === 2), 'two partitions each')
    await produce(2)
    const all = () => [first, second, third].flatMap(each => each.listener.values())
    await until(() => all().length >= 18, 'three rounds')
    await second.consumer.stop()
    await produce(3)
    await until(() => first.listener.owned.size + third.listener.owned.size === 6, 'all owned again')
    await until(() => all().length >= 24, 'four rounds')
    assert.deepEqual(
      sorted(all()),
      sorted([0, 1, 2, 3].flatMap(round => [0, 1, 2, 3, 4, 5].map(each => `${round}/${each}`)))
    )
    assert.deepEqual(
      [first, second, third].flatMap(each => each.listener.strays),
      []
    )
  })
})

await kafkaSuite('a consumer on three Kafka brokers', () => {
  const kafka = kafkaForSuite({ brokers: 3 })
  const open = consumersOn(kafka)

  test('a broker that is killed delays its partitions alone, and commits go on', async () => {
    await kafka.createTopic('orders', { partitions: 6 })
    const produce = (round: string, partitions: readonly number[]) =>
      kafka.produce(
        'orders',
        partitions.map(partition => ({ value: `${round} ${partition}`, partition }))
      )
    const { consumer, listener } = open('orders', {}, { sessionTimeoutMs: 30_000 })
    await owns(listener, 6)
    await produce('before', [0, 1, 2, 3, 4, 5])
    await seen(listener, 6)
    const leaders = await kafka.leaders('orders')
    const victim = leaders.get(0)!
    const others = [...leaders].filter(([, leader]) => leader !== victim).map(([partition]) => partition)
    await kafka.killBroker(victim)
    await produce('down', others)
    await seen(listener, 6 + others.length)
    await eventually(
      async () => [...(await kafka.leaders('orders')).values()].every(leader => leader >= 0 && leader !== victim),
      {
        describe: 'new leaders',
        timeoutMs: 30_000
      }
    )
    await produce('moved', [0, 1, 2, 3, 4, 5])
    await seen(listener, 12 + others.length)
    await consumer.commit([0, 1, 2, 3, 4, 5].flatMap(partition => readPast('orders', listener, partition)))
    const ends = await kafka.endOffsets('orders')
    const committed = await kafka.committed('orders-readers', 'orders')
    assert.deepEqual(new Map([...committed].map(([partition, { offset }]) => [partition, offset])), ends)
    assert.deepEqual(listener.events, ['assigned 0,1,2,3,4,5'])
    await until(
      () => listener.problemNow === undefined,
      () => `well again; ${listener.problemNow?.message}`
    )
  })
})
