import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import type { EachMessagePayload } from 'kafkajs'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import type { EmbeddedBrokerOptions } from '../../src/devbroker/broker.ts'
import { eventually } from '../support/poll.ts'

async function setup(t: TestContext, options: EmbeddedBrokerOptions = {}) {
  // Undone last in, first out: a client whose broker is gone would try to reach it before it ends.
  const open = new AsyncDisposableStack()
  t.after(() => open.disposeAsync())
  const broker = open.use(new EmbeddedBroker(options))
  await broker.start()
  const retry = { initialRetryTime: 20, maxRetryTime: 200, retries: 20 }
  const kafka = new Kafka({ clientId: 'kafkajs', brokers: [broker.bootstrap], logLevel: logLevel.NOTHING, retry })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  open.defer(() => producer.disconnect())
  const admin = kafka.admin()
  await admin.connect()
  open.defer(() => admin.disconnect())
  /** A group member that notes what it reads. */
  const join = async (groupId: string, onMessage: (payload: EachMessagePayload) => void) => {
    // kafkajs beats, and leaves, only between two fetches: its long polls must be short here.
    const timing = { sessionTimeout: 6_000, rebalanceTimeout: 3_000, heartbeatInterval: 100, maxWaitTimeInMs: 100 }
    const consumer = kafka.consumer({ groupId, ...timing })
    let left: Promise<void> | undefined
    const leave = () => (left ??= consumer.disconnect())
    open.defer(leave)
    await consumer.connect()
    await consumer.subscribe({ topic: 'orders', fromBeginning: true })
    await consumer.run({ eachMessage: async payload => onMessage(payload), partitionsConsumedConcurrently: 4 })
    return leave
  }
  const send = (from: number, to: number) => {
    const messages = Array.from({ length: to - from }, (_one, i) => ({ key: `k${from + i}`, value: `v${from + i}` }))
    return producer.send({ topic: 'orders', compression: CompressionTypes.GZIP, messages })
  }
  return { broker, kafka, producer, admin, join, send }
}

suite('kafkajs', () => {
  test('reads every record it sent with gzip, with key, value and headers', async t => {
    const { broker, producer, join } = await setup(t)
    broker.createTopic('orders', { partitions: 3 })
    const messages = Array.from({ length: 60 }, (_one, i) => {
      return { key: `k${i}`, value: i % 10 === 0 ? null : `v${i}`, headers: { trace: `t${i}` } }
    })
    await producer.send({ topic: 'orders', compression: CompressionTypes.GZIP, messages })
    const read: string[] = []
    await join('readers', ({ message: { key, value, headers } }) => {
      read.push(`${String(key)} ${String(value)} ${String(headers?.['trace'])}`)
    })
    await eventually(() => read.length === 60, { describe: () => `${read.length} of 60 records` })
    const expected = messages.map(({ key, value, headers }) => `${key} ${value} ${headers.trace}`)
    assert.deepEqual(read.toSorted(), expected.toSorted())
  })

  test('a second member takes its share, and gives it back when it leaves', { timeout: 60_000 }, async t => {
    const { broker, join, send } = await setup(t)
    broker.createTopic('orders', { partitions: 4 })
    const [first, second] = [new Set<number>(), new Set<number>()]
    const values = new Set<string>()
    const note = (partitions: Set<number>) => (payload: EachMessagePayload) => {
      partitions.add(payload.partition)
      values.add(String(payload.message.value))
    }
    await join('readers', note(first))
    const leave = await join('readers', note(second))
    const stable = (members: number) => () => {
      const group = broker.groupState('readers')
      return group?.state === 'Stable' && group.members === members
    }
    await eventually(stable(2), { describe: () => `two members, not ${JSON.stringify(broker.groupState('readers'))}` })
    await send(0, 100)
    await eventually(() => values.size === 100, { describe: () => `${values.size} of 100 records` })
    assert.deepEqual([first.size, second.size, first.intersection(second).size], [2, 2, 0])
    await leave()
    first.clear()
    await eventually(stable(1), { describe: () => `one member, not ${JSON.stringify(broker.groupState('readers'))}` })
    await send(100, 200)
    await eventually(() => values.size === 200, { describe: () => `${values.size} of 200 records` })
    assert.equal(first.size, 4)
  })

  test('a consumer goes on where its group committed, over a restart of the broker', { timeout: 60_000 }, async t => {
    const { broker, join, send } = await setup(t)
    broker.createTopic('orders', { partitions: 2 })
    await send(0, 20)
    const values: string[] = []
    const leave = await join('readers', ({ message }) => values.push(String(message.value)))
    await eventually(() => values.length === 20, { describe: () => `${values.length} of 20 records` })
    await leave()
    await broker.stop()
    await broker.start()
    await send(20, 30)
    await join('readers', ({ message }) => values.push(String(message.value)))
    await eventually(() => values.length >= 30, { describe: () => `${values.length} of 30 records` })
    assert.equal(new Set(values).size, 30)
    assert.equal(values.length, 30)
  })

  test('its admin makes, grows, lists and deletes topics', async t => {
    const { broker, admin } = await setup(t)
    assert.ok(await admin.createTopics({ topics: [{ topic: 'a', numPartitions: 2 }, { topic: 'b' }] }))
    await admin.createPartitions({ topicPartitions: [{ topic: 'b', count: 5 }] })
    assert.deepEqual((await admin.listTopics()).toSorted(), ['a', 'b'])
    const { topics } = await admin.fetchTopicMetadata({ topics: ['a', 'b'] })
    const counts = new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
    assert.deepEqual([counts.get('a'), counts.get('b')], [2, 5])
    await admin.deleteTopics({ topics: ['a'] })
    assert.deepEqual(await admin.listTopics(), ['b'])
    assert.throws(() => broker.endOffset('a', 0), /no partition 0 of topic a/)
    const { brokers } = await admin.describeCluster()
    assert.deepEqual(brokers, [{ nodeId: 1, host: '127.0.0.1', port: broker.port }])
  })

  test('its admin reads and sets the offsets of a group, finds offsets by time and deletes records', async t => {
    const { broker, admin } = await setup(t)
    broker.createTopic('orders', { partitions: 1 })
    for (const timestamp of [1_000, 2_000, 3_000]) broker.append('orders', 0, [{ value: 'x', timestamp }])
    // Behind this stands a whole consumer, paused: it takes kafkajs 5 s to end it.
    await admin.resetOffsets({ groupId: 'readers', topic: 'orders', earliest: false })
    const [offsets] = await admin.fetchOffsets({ groupId: 'readers', topics: ['orders'] })
    assert.equal(offsets?.partitions[0]?.offset, '-1', 'kafkajs writes down "latest", not where that is')
    const byTime = await admin.fetchTopicOffsetsByTimestamp('orders', 1_500)
    assert.equal(byTime[0]?.offset, '1')
    await admin.deleteTopicRecords({ topic: 'orders', partitions: [{ partition: 0, offset: '2' }] })
    const [ends] = await admin.fetchTopicOffsets('orders')
    assert.deepEqual([ends?.low, ends?.high], ['2', '3'])
  })

  test('its admin describes, lists and deletes groups', async t => {
    const { broker, admin, join } = await setup(t)
    broker.createTopic('orders', { partitions: 1 })
    const leave = await join('readers', () => undefined)
    const isStable = () => broker.groupState('readers')?.state === 'Stable'
    await eventually(isStable, { describe: 'a stable group' })
    const { groups } = await admin.describeGroups(['readers', 'nobody'])
    assert.deepEqual(
      groups.map(({ state, members }) => [state, members.length]),
      [
        ['Stable', 1],
        ['Dead', 0]
      ]
    )
    assert.deepEqual(await admin.listGroups(), {
      groups: [{ groupId: 'readers', protocolType: 'consumer' }]
    })
    await assert.rejects(admin.deleteGroups(['readers']), /DeleteGroups/)
    await leave()
    await admin.deleteGroups(['readers'])
    assert.equal(broker.groupState('readers'), undefined)
  })

  test('its admin reads and changes the settings of a topic', async t => {
    const { broker, admin } = await setup(t)
    broker.createTopic('orders', { partitions: 1, config: { 'retention.ms': '60000' } })
    const resource = { type: 2, name: 'orders' }
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ ...resource, configEntries: [{ name: 'max.message.bytes', value: '5000' }] }]
    })
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ ...resource, configNames: ['max.message.bytes', 'retention.ms'] }]
    })
    const values = resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue])
    assert.deepEqual(values, [
      ['max.message.bytes', '5000'],
      ['retention.ms', '-1']
    ])
  })
})
