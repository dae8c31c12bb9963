import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import type { ConsumerOptions, Message } from '@platformatic/kafka'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import { eventually } from '../support/poll.ts'

type Text = ConsumerOptions<string, string, string, string>

/** The client that asks in the newest versions: Fetch 17 with topic ids, Metadata 12, JoinGroup 9. */
async function setup(t: TestContext) {
  // Undone last in, first out: a client whose broker is gone would try to reach it before it ends.
  const open = new AsyncDisposableStack()
  t.after(() => open.disposeAsync())
  const broker = open.use(new EmbeddedBroker())
  await broker.start()
  const base = { clientId: 'platformatic', bootstrapBrokers: [broker.bootstrap] }
  const producer = new Producer({ ...base, idempotent: true, serializers: stringSerializers })
  const admin = new Admin(base)
  open.defer(async () => void (await Promise.all([producer.close(), admin.close()])))
  const join = async (overrides: Partial<Text> = {}, mode: 'earliest' | 'committed' = 'earliest') => {
    const options: Text = { ...base, groupId: 'readers', deserializers: stringDeserializers, ...overrides }
    const consumer = new Consumer<string, string, string, string>(options)
    open.defer(() => consumer.close(true).catch(() => undefined))
    const stream = await consumer.consume({ topics: ['orders'], mode, maxWaitTime: 200 })
    const read: Message<string, string, string, string>[] = []
    stream.on('data', message => read.push(message))
    return { consumer, stream, read }
  }
  return { broker, producer, admin, join }
}

suite('@platformatic/kafka', () => {
  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    test(`reads every record it sent with ${compression}, and finds one by its time`, async t => {
      const { broker, producer, admin, join } = await setup(t)
      broker.createTopic('orders', { partitions: 2 })
      const messages = Array.from({ length: 50 }, (_one, i) => ({
        topic: 'orders',
        partition: i % 2,
        key: `k${i}`,
        value: `value ${i} `.repeat(20),
        headers: { trace: `t${i}` },
        timestamp: BigInt(10_000 + i * 10)
      }))
      await producer.send({ messages, compression })
      const { read } = await join()
      await eventually(() => read.length === 50, { describe: () => `${read.length} of 50 records` })
      const shown = (key: string, value: string, trace: unknown) => `${key} ${value} ${String(trace)}`
      assert.deepEqual(
        read.map(({ key, value, headers }) => shown(key, value, headers.get('trace'))).toSorted(),
        messages.map(({ key, value, headers }) => shown(key, value, headers.trace)).toSorted()
      )
      // Records 1, 3, 5… are in partition 1; the third of them is the first since 10,050.
      const topics = [{ name: 'orders', partitions: [{ partitionIndex: 1, timestamp: 10_041n }] }]
      const [found] = await admin.listOffsets({ topics })
      assert.partialDeepStrictEqual(found?.partitions[0], { offset: 2n, timestamp: 10_050n })
    })
  }

  test('two members share the partitions, and together read every record', { timeout: 60_000 }, async t => {
    const { broker, producer, join } = await setup(t)
    broker.createTopic('orders', { partitions: 4 })
    const first = await join({ sessionTimeout: 10_000, rebalanceTimeout: 10_000, heartbeatInterval: 100 })
    const second = await join({ sessionTimeout: 10_000, rebalanceTimeout: 10_000, heartbeatInterval: 100 })
    const shares = () => [first, second].map(({ consumer }) => consumer.assignments?.[0]?.partitions.length)
    const isShared = () => shares().every(share => share === 2) && broker.groupState('readers')?.state === 'Stable'
    await eventually(isShared, { describe: () => `shares of 2 and 2, not ${JSON.stringify(shares())}` })
    const messages = Array.from({ length: 40 }, (_one, i) => {
      return { topic: 'orders', partition: i % 4, key: `k${i}`, value: `v${i}` }
    })
    await producer.send({ messages })
    // The stream of the first goes on with a fetch from before the rebalance, so it may bring what it gave up once more.
    const all = () => new Set([...first.read, ...second.read].map(({ value }) => value))
    const isRead = () => all().size === 40 && second.read.length === 20
    await eventually(isRead, { describe: () => `${all().size} of 40 records, ${second.read.length} by the second` })
    const taken = new Set(second.read.map(({ partition }) => partition))
    assert.deepEqual(taken, new Set(second.consumer.assignments?.[0]?.partitions))
  })

  test('members of the protocol consumer share the partitions, and read on from what they committed', async t => {
    const { broker, producer, join } = await setup(t)
    broker.createTopic('orders', { partitions: 4 })
    const spoken = { groupProtocol: 'consumer', autocommit: true } as const
    const first = await join(spoken)
    const second = await join(spoken)
    const shares = () => [first, second].map(({ consumer }) => consumer.assignments?.[0]?.partitions.length)
    const isShared = () => shares().every(share => share === 2) && broker.groupState('readers')?.state === 'Stable'
    await eventually(isShared, { describe: () => `shares of 2 and 2, not ${JSON.stringify(shares())}` })
    const send = (from: number) =>
      producer.send({
        messages: Array.from({ length: 40 }, (_one, i) => ({
          topic: 'orders',
          partition: i % 4,
          value: `v${from + i}`
        }))
      })
    await send(0)
    const read = (...members: (typeof first)[]) => new Set(members.flatMap(each => each.read.map(({ value }) => value)))
    const isRead = () => read(first, second).size === 40
    await eventually(isRead, { describe: () => `${read(first, second).size} of 40 records` })
    for (const { consumer } of [first, second]) await consumer.close(true)
    await eventually(() => broker.groupState('readers')?.state === 'Empty', { describe: () => 'all have left' })
    assert.deepEqual(
      [0, 1, 2, 3].map(partition => broker.committed('readers', 'orders', partition)?.offset),
      [10, 10, 10, 10]
    )
    await send(40)
    const third = await join({ ...spoken, groupInstanceId: 'static' }, 'committed')
    await eventually(() => third.read.length >= 40, { describe: () => `${third.read.length} of 40 records` })
    assert.deepEqual(read(third), new Set(Array.from({ length: 40 }, (_one, i) => `v${40 + i}`)))
  })

  test('an idempotent producer whose answer is lost does not store its records twice', async t => {
    const { broker, producer } = await setup(t)
    broker.createTopic('orders', { partitions: 1 })
    await producer.send({ messages: [{ topic: 'orders', key: 'k', value: 'first' }] })
    broker.answerNext('Produce', { loseAnswer: true })
    await producer.send({ messages: [{ topic: 'orders', key: 'k', value: 'second' }] })
    assert.equal(broker.endOffset('orders', 0), 2)
  })

  test('its admin makes, describes and deletes topics and groups', async t => {
    const { broker, admin, join } = await setup(t)
    await admin.createTopics({ topics: ['orders'], partitions: 3, configs: [{ name: 'retention.ms', value: '60000' }] })
    assert.deepEqual(await admin.listTopics(), ['orders'])
    await admin.createPartitions({ topics: [{ name: 'orders', count: 4, assignments: null }] })
    assert.equal(broker.endOffset('orders', 3), 0)
    const { consumer } = await join()
    const groups = await admin.describeGroups({ groups: ['readers'] })
    assert.equal(groups.get('readers')?.members.size, 1)
    assert.deepEqual([...(await admin.listGroups()).keys()], ['readers'])
    await consumer.close(true)
    await admin.deleteGroups({ groups: ['readers'] })
    assert.equal(broker.groupState('readers'), undefined)
    await admin.deleteTopics({ topics: ['orders'] })
    assert.deepEqual(await admin.listTopics(), [])
  })
})
