import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import type { EmbeddedBrokerOptions } from '../../src/devbroker/broker.ts'
import { errorCodes } from '../../src/devbroker/error-codes.ts'
import { buildBatch, readHeader } from '../../src/devbroker/record-batch.ts'
import { eventually } from '../support/poll.ts'
import { RawClient } from './raw-client.ts'

async function setup(options: EmbeddedBrokerOptions = {}) {
  const broker = new EmbeddedBroker(options)
  await broker.start()
  broker.createTopic('orders', { partitions: 2 })
  const client = await RawClient.open(broker)
  const topicId = async (name: string): Promise<string> => {
    const { topics } = await client.call('Metadata', 12, { topics: [{ name }] })
    return (topics as { topicId: string }[])[0]!.topicId
  }
  const produce = (partition: number, records: Buffer | null, version = 9) =>
    client.call('Produce', version, {
      acks: -1,
      timeoutMs: 1_000,
      topics: [{ name: 'orders', partitions: [{ index: partition, records }] }]
    })
  const fetch = (fetchOffset: number, overrides: object = {}, partition = 0) =>
    client.call('Fetch', 11, {
      maxWaitMs: 0,
      minBytes: 1,
      topics: [{ topic: 'orders', partitions: [{ partition, fetchOffset, partitionMaxBytes: 1_000_000 }] }],
      ...overrides
    })
  const commit = (offset: number, metadata = '', groupId = 'readers') =>
    client.call('OffsetCommit', 8, {
      groupId,
      topics: [
        {
          name: 'orders',
          partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: metadata }]
        }
      ]
    })
  const dispose = () => {
    client[Symbol.dispose]()
    return broker.stop()
  }
  return { broker, client, topicId, produce, fetch, commit, [Symbol.asyncDispose]: dispose }
}

const partitionOf = (answer: object) =>
  (answer as { topics: { partitions: Record<string, unknown>[] }[] }).topics[0]!.partitions[0]!
const errorOf = (answer: object) => partitionOf(answer)['errorCode']
const offsetsOf = (answer: object) => {
  const whole = Buffer.concat(partitionOf(answer)['records'] as Buffer[])
  const offsets: number[] = []
  for (let at = 0; at < whole.length; at += whole.readInt32BE(at + 8) + 12) {
    offsets.push(readHeader(whole.subarray(at)).baseOffset)
  }
  return offsets
}

suite('produce and fetch', () => {
  test('what is produced is fetched, with the offsets it was given', async () => {
    await using world = await setup()
    const answer = await world.produce(0, buildBatch([{ value: 'a' }, { value: 'b' }], 1))
    assert.partialDeepStrictEqual(partitionOf(answer), { errorCode: 0, baseOffset: 0, logAppendTimeMs: -1 })
    assert.equal(partitionOf(await world.produce(0, buildBatch([{ value: 'c' }], 1)))['baseOffset'], 2)
    const fetched = await world.fetch(0)
    assert.partialDeepStrictEqual(partitionOf(fetched), { errorCode: 0, highWatermark: 3, logStartOffset: 0 })
    assert.deepEqual(offsetsOf(fetched), [0, 2])
  })

  test('a batch that is refused says why, and nothing is stored', async () => {
    await using world = await setup()
    const corrupt = buildBatch([{ value: 'a' }], 1)
    corrupt[corrupt.length - 1]! ^= 1
    assert.equal(errorOf(await world.produce(0, corrupt)), errorCodes.CORRUPT_MESSAGE)
    assert.equal(errorOf(await world.produce(7, corrupt)), errorCodes.UNKNOWN_TOPIC_OR_PARTITION)
    assert.equal(errorOf(await world.produce(0, null)), errorCodes.INVALID_RECORD)
    assert.equal(world.broker.endOffset('orders', 0), 0)
  })

  test('producing by topic id finds the topic, or says that the id is unknown', async () => {
    await using world = await setup()
    const produce = (topicId: string) =>
      world.client.call('Produce', 13, {
        acks: 1,
        timeoutMs: 1_000,
        topics: [{ topicId, partitions: [{ index: 1, records: buildBatch([{ value: 'a' }], 1) }] }]
      })
    assert.equal(errorOf(await produce(await world.topicId('orders'))), 0)
    assert.equal(errorOf(await produce('ab'.repeat(16))), errorCodes.UNKNOWN_TOPIC_ID)
    assert.equal(world.broker.endOffset('orders', 1), 1)
    assert.deepEqual(world.broker.endOffsets('orders')?.get(1), 1)
    assert.equal(world.broker.endOffsets('nowhere'), undefined)
  })

  test('a long poll wakes with new data, well before its time', async () => {
    await using world = await setup()
    const waiting = world.fetch(0, { maxWaitMs: 60_000 })
    world.broker.append('orders', 0, [{ value: 'a' }])
    assert.deepEqual(offsetsOf(await waiting), [0])
  })

  test('a long poll waits until its bytes are there', async () => {
    await using world = await setup()
    const size = buildBatch([{ value: 'a' }], 1).length
    const waiting = world.fetch(0, { maxWaitMs: 60_000, minBytes: size * 3 })
    for (let i = 0; i < 3; i++) world.broker.append('orders', 0, [{ value: 'a' }])
    assert.deepEqual(offsetsOf(await waiting), [0, 1, 2])
  })

  test('a long poll on a topic that is deleted ends at once', async () => {
    await using world = await setup()
    using admin = await RawClient.open(world.broker)
    const waiting = world.fetch(0, { maxWaitMs: 60_000 })
    await admin.call('DeleteTopics', 5, { topicNames: ['orders'], timeoutMs: 1_000 })
    assert.equal(errorOf(await waiting), errorCodes.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('one partition out of range does not keep the records of the others back', async () => {
    await using world = await setup()
    world.broker.append('orders', 1, [{ value: 'a' }])
    const partition = (partition: number, fetchOffset: number) => ({ partition, fetchOffset, partitionMaxBytes: 1_000 })
    const answer = await world.client.call('Fetch', 12, {
      maxWaitMs: 60_000,
      minBytes: 1_000_000,
      topics: [{ topic: 'orders', partitions: [partition(0, 5), partition(1, 0)] }]
    })
    const [topic] = answer['topics'] as { partitions: { errorCode: number; highWatermark: number }[] }[]
    const codes = topic!.partitions.map(({ errorCode, highWatermark }) => [errorCode, highWatermark])
    assert.deepEqual(codes, [
      [errorCodes.OFFSET_OUT_OF_RANGE, 0],
      [errorCodes.NONE, 1]
    ])
  })

  test('the oldest records go when the broker holds too many bytes', async () => {
    await using world = await setup({ maxBytes: 10_000 })
    for (let i = 0; i < 30; i++) world.broker.append('orders', i % 2, [{ value: Buffer.alloc(1_000) }])
    assert.ok(world.broker.bytes <= 10_000)
    assert.ok(world.broker.startOffset('orders', 0) > 0)
    assert.equal(errorOf(await world.fetch(0)), errorCodes.OFFSET_OUT_OF_RANGE)
  })

  test('without transactions, their producers are refused for good', async () => {
    await using world = await setup()
    const answer = await world.client.call('InitProducerId', 4, { transactionalId: 'tx', transactionTimeoutMs: 1_000 })
    assert.equal(answer['errorCode'], errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
  })
})

suite('topics', () => {
  test('an unknown topic is made on demand only where both sides allow it', async () => {
    const ask = async (autoCreateTopics: boolean, allowAutoTopicCreation: boolean) => {
      await using world = await setup({ autoCreateTopics, defaultPartitions: 3 })
      const answer = await world.client.call('Metadata', 9, { topics: [{ name: 'new' }], allowAutoTopicCreation })
      const [topic] = answer['topics'] as { errorCode: number; partitions: unknown[] }[]
      return [topic?.errorCode, topic?.partitions.length]
    }
    assert.deepEqual(await ask(true, true), [0, 3])
    assert.deepEqual(await ask(true, false), [errorCodes.UNKNOWN_TOPIC_OR_PARTITION, 0])
    assert.deepEqual(await ask(false, true), [errorCodes.UNKNOWN_TOPIC_OR_PARTITION, 0])
  })

  test('a topic that cannot be is refused with the reason, and the others are made', async () => {
    await using world = await setup()
    const topic = (name: string, overrides: object = {}) => {
      return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...overrides }
    }
    const answer = await world.client.call('CreateTopics', 7, {
      timeoutMs: 1_000,
      topics: [
        topic('fine'),
        topic('or ders'),
        topic('orders'),
        topic('none', { numPartitions: 0 }),
        topic('copies', { replicationFactor: 3 }),
        topic('odd', { configs: [{ name: 'retention.mss', value: '1' }] }),
        topic('wrong', { configs: [{ name: 'message.timestamp.type', value: 'Later' }] })
      ]
    })
    const codes = (answer['topics'] as { errorCode: number }[]).map(({ errorCode }) => errorCode)
    const { INVALID_CONFIG, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR, TOPIC_ALREADY_EXISTS } = errorCodes
    assert.deepEqual(codes, [
      0,
      errorCodes.INVALID_TOPIC_EXCEPTION,
      TOPIC_ALREADY_EXISTS,
      INVALID_PARTITIONS,
      INVALID_REPLICATION_FACTOR,
      INVALID_CONFIG,
      INVALID_CONFIG
    ])
    assert.equal(world.broker.endOffset('fine', 0), 0)
    assert.throws(() => world.broker.endOffset('odd', 0), /no partition 0 of topic odd/)
  })

  test('a topic made again under its name is empty, has another id, and knows no commits', async () => {
    await using world = await setup()
    world.broker.append('orders', 0, [{ value: 'a' }])
    await world.commit(1)
    const before = await world.topicId('orders')
    await world.client.call('DeleteTopics', 6, { topics: [{ name: 'orders', topicId: '0'.repeat(32) }], timeoutMs: 1 })
    world.broker.createTopic('orders', { partitions: 1 })
    assert.notEqual(await world.topicId('orders'), before)
    assert.equal(world.broker.endOffset('orders', 0), 0)
    assert.equal(world.broker.committed('readers', 'orders', 0), undefined)
  })
})

suite('commits', () => {
  test('are kept with their metadata, told to listeners, and read back', async () => {
    await using world = await setup()
    const seen: unknown[] = []
    const stop = world.broker.onCommit(commit => seen.push(commit))
    assert.equal(errorOf(await world.commit(5, 'done: 7,9')), 0)
    stop()
    await world.commit(6)
    assert.deepEqual(seen, [{ groupId: 'readers', topic: 'orders', partition: 0, offset: 5, metadata: 'done: 7,9' }])
    assert.deepEqual(world.broker.committed('readers', 'orders', 0), { offset: 6, metadata: '', leaderEpoch: -1 })
    const fetched = await world.client.call('OffsetFetch', 9, { groups: [{ groupId: 'readers', topics: null }] })
    assert.partialDeepStrictEqual(fetched, {
      groups: [{ errorCode: 0, topics: [{ name: 'orders', partitions: [{ committedOffset: 6, errorCode: 0 }] }] }]
    })
  })

  test('with metadata beyond 4096 characters, or for an unknown partition, are refused', async () => {
    await using world = await setup()
    assert.equal(errorOf(await world.commit(5, 'x'.repeat(4096))), 0)
    assert.equal(errorOf(await world.commit(6, 'x'.repeat(4097))), errorCodes.OFFSET_METADATA_TOO_LARGE)
    assert.equal(world.broker.committed('readers', 'orders', 0)?.offset, 5)
    const elsewhere = {
      name: 'nowhere',
      partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }]
    }
    const answer = await world.client.call('OffsetCommit', 8, { groupId: 'readers', topics: [elsewhere] })
    assert.equal(errorOf(answer), errorCodes.UNKNOWN_TOPIC_OR_PARTITION)
  })
})

suite('faults on demand', () => {
  test('an error is answered as often as ordered, then all is normal', async () => {
    await using world = await setup()
    world.broker.answerNext('commit', { error: 'NOT_COORDINATOR' }, 2)
    const codes = [await world.commit(1), await world.commit(2), await world.commit(3)].map(errorOf)
    assert.deepEqual(codes, [errorCodes.NOT_COORDINATOR, errorCodes.NOT_COORDINATOR, 0])
    assert.equal(world.broker.committed('readers', 'orders', 0)?.offset, 3)
  })

  test('every API can be refused, in its lowest and its highest version', async () => {
    await using world = await setup()
    const { apis } = await import('../../src/devbroker/apis.ts')
    for (const { name, versions, request } of apis.values()) {
      for (const version of versions) {
        world.broker.answerNext(name, { error: 'COORDINATOR_LOAD_IN_PROGRESS' })
        const answer = await world.client.call(name, version, { ...(request.absent as object), acks: 1 })
        const own = answer['errorCode']
        assert.ok(
          own === undefined || own === 0 || own === errorCodes.COORDINATOR_LOAD_IN_PROGRESS,
          `${name} ${version}`
        )
      }
    }
  })

  test('a dropped connection means that nothing happened; a lost answer, that everything did', async () => {
    await using world = await setup()
    world.broker.answerNext('OffsetCommit', { dropConnection: true })
    await assert.rejects(world.commit(1), /closed the connection/)
    assert.equal(world.broker.committed('readers', 'orders', 0), undefined)
    world.broker.answerNext('OffsetCommit', { loseAnswer: true })
    using other = await RawClient.open(world.broker)
    const partitions = [{ partitionIndex: 0, committedOffset: 2, committedMetadata: null }]
    const lost = other.call('OffsetCommit', 8, { groupId: 'readers', topics: [{ name: 'orders', partitions }] })
    await assert.rejects(lost, /closed the connection/)
    assert.equal(world.broker.committed('readers', 'orders', 0)?.offset, 2)
  })

  test('a delayed answer comes late and right', async () => {
    await using world = await setup()
    world.broker.answerNext('Metadata', { delayMs: 50 })
    const started = performance.now()
    assert.equal((await world.client.call('Metadata', 12, { topics: [] }))['errorCode'], 0)
    assert.ok(performance.now() - started >= 49)
  })

  test('an unknown API or error is named in the error, with those there are', () => {
    const broker = new EmbeddedBroker()
    assert.throws(() => broker.answerNext('Fetsch', { error: 1 }), /no API is called "Fetsch"; known: Produce, Fetch/)
    assert.throws(() => broker.answerNext('Fetch', { error: 'NOT_A_THING' }), /no Kafka error is called "NOT_A_THING"/)
  })
})

suite('start and stop', () => {
  test('keep topics, records and commits, and the port', async () => {
    await using world = await setup()
    world.broker.append('orders', 0, [{ value: 'a' }])
    await world.commit(1)
    const { port } = world.broker
    await world.broker.stop()
    await world.client.closed()
    await world.broker.start()
    assert.equal(world.broker.port, port)
    using client = await RawClient.open(world.broker)
    const answer = await client.call('ListOffsets', 4, {
      replicaId: -1,
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp: -1 }] }]
    })
    assert.equal(partitionOf(answer)['offset'], 1)
    assert.equal(world.broker.committed('readers', 'orders', 0)?.offset, 1)
  })

  test('in any order, at once and twice, end in what was asked last', async () => {
    const broker = new EmbeddedBroker()
    await broker.stop()
    await Promise.all([broker.start(), broker.start(), broker.stop(), broker.stop(), broker.start(), broker.stop()])
    await assert.rejects(RawClient.open(broker), /ECONNREFUSED/)
    await Promise.all([broker.start(), broker.stop(), broker.start()])
    using client = await RawClient.open(broker)
    assert.equal((await client.call('Metadata', 12, { topics: null }))['errorCode'], 0)
    await broker.stop()
  })

  test('a port in use is an error that names it and says what would do', async () => {
    await using world = await setup()
    const second = new EmbeddedBroker({ port: world.broker.port })
    const expected = new RegExp(`cannot listen on 127.0.0.1:${world.broker.port}: the port is in use.*choose another`)
    await assert.rejects(second.start(), expected)
    await second.stop()
  })

  test('connections that are dropped may come back at once', async () => {
    await using world = await setup()
    world.broker.dropConnections()
    await world.client.closed()
    using client = await RawClient.open(world.broker)
    assert.equal((await client.call('Metadata', 12, { topics: null }))['errorCode'], 0)
  })

  test('a long poll and a parked join end with the broker', async () => {
    await using world = await setup()
    const join = {
      groupId: 'readers',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(0) }]
    }
    await world.client.call('JoinGroup', 3, join)
    using other = await RawClient.open(world.broker)
    const parked = other.call('JoinGroup', 3, join)
    const polling = world.fetch(0, { maxWaitMs: 60_000 })
    const ended = Promise.allSettled([parked, polling])
    const bothIn = () => world.broker.groupState('readers')?.members === 2
    await eventually(bothIn, { describe: 'the second member waits', intervalMs: 5 })
    await world.broker.stop()
    assert.deepEqual(
      (await ended).map(({ status }) => status),
      ['rejected', 'rejected']
    )
    assert.deepEqual(world.broker.groupState('readers'), { state: 'Empty', members: 0 })
  })
})

suite('direct access', () => {
  test('records appended without network have the clock’s time, keys and headers', async () => {
    await using world = await setup({ clock: { now: () => 5_000 } })
    assert.equal(world.broker.append('orders', 0, [{ key: 'k', value: null, headers: [['a', 'b']] }]), 0)
    assert.equal(world.broker.append('orders', 0, [{ value: 'x', timestamp: 7 }]), 1)
    assert.equal(world.broker.append('orders', 0, []), 2)
    const found = await world.client.call('ListOffsets', 5, {
      replicaId: -1,
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp: 8 }] }]
    })
    assert.partialDeepStrictEqual(partitionOf(found), { offset: 0, timestamp: 5_000 })
  })

  test('deleted records cannot be read, by anybody', async () => {
    await using world = await setup()
    world.broker.append('orders', 0, [{ value: 'a' }, { value: 'b' }])
    world.broker.deleteRecords('orders', 0, 2)
    assert.deepEqual([world.broker.startOffset('orders', 0), world.broker.endOffset('orders', 0)], [2, 2])
    assert.equal(errorOf(await world.fetch(0)), errorCodes.OFFSET_OUT_OF_RANGE)
    assert.throws(() => world.broker.deleteRecords('orders', 0, 3), /offset 3 is not in 0\.\.2/)
  })
})
