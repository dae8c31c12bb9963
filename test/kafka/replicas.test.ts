import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { systemClock } from '../../src/adapters/host/system-clock.ts'
import { openKafkaConsumer } from '../../src/adapters/kafka/kafka-consumer.ts'
import type { KafkaTuning } from '../../src/adapters/kafka/kafka-consumer.ts'
import { Wire } from '../../src/adapters/kafka/wire.ts'
import type { WireRequest } from '../../src/adapters/kafka/wire.ts'
import type { Consumer, ConsumerOptions } from '../../src/ports/consumer.ts'
import { RecordingListener } from '../adapters/kafka/recording-listener.ts'
import { brokerMetadata } from '../support/kafka/kafka-client.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { eventually } from '../support/poll.ts'
import { RecordingLog } from '../support/recording-log.ts'

const fetchKey = 1
const values = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`)

await kafkaSuite('replicas of a Kafka with three racks', () => {
  const kafka = kafkaForSuite({
    brokers: 3,
    serverProperties: {
      'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
      'group.consumer.min.heartbeat.interval.ms': '500',
      'group.consumer.heartbeat.interval.ms': '1000'
    }
  })
  const opened: Consumer[] = []
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(consumer => consumer.stop()))
  })
  const open = (topic: string, options: Partial<ConsumerOptions> = {}, tuning: Partial<KafkaTuning> = {}) => {
    const listener = new RecordingListener()
    const consumer = openKafkaConsumer(
      {
        cluster: { bootstrapServers: kafka.bootstrap() },
        topic,
        groupId: `${topic}-readers`,
        clientId: 'test',
        startingPosition: { kind: 'TRIM_HORIZON' },
        drainMs: 5000,
        ...options
      },
      { clock: systemClock, log: new RecordingLog() },
      { metadataMaxAgeMs: 1000, ...tuning }
    )
    opened.push(consumer)
    consumer.start(listener)
    return { consumer, listener }
  }
  const seen = (listener: RecordingListener, count: number) =>
    eventually(() => listener.records.length >= count, {
      describe: () =>
        `${count} records; ${listener.values().join()}; ${listener.events.join('; ')}; ${listener.problemNow?.message}`,
      timeoutMs: 30_000,
      intervalMs: 10
    })
  const produce = (topic: string, values: readonly string[]) =>
    kafka.produce(
      topic,
      values.map(value => ({ value, partition: 0 }))
    )

  test('the one in our rack is read from (KIP-392); when it stops, the leader is, and nothing is lost or repeated', async t => {
    await kafka.createTopic('near', { partitions: 1 })
    await produce('near', values('a', 50))
    const leader = (await kafka.leaders('near')).get(0)!
    const near = (leader % 3) + 1
    const asked: string[] = []
    const request = t.mock.method(Wire.prototype, 'request')
    const portOf = (node: number) => kafka.bootstrap()[node - 1]!
    const fetches = () => {
      for (const call of request.mock.calls.splice(0)) note(call.this as Wire, call.arguments[0])
      request.mock.resetCalls()
      return asked
    }
    const note = ({ address }: Wire, { apiKey }: WireRequest) => {
      if (apiKey === fetchKey) asked.push(address)
    }
    // The leader is asked again after this long: not within the test.
    const { consumer, listener } = open('near', { clientRack: `rack-${near}` }, { metadataMaxAgeMs: 60_000 })
    await seen(listener, 50)
    await produce('near', values('b', 50))
    await seen(listener, 100)
    assert.deepEqual(fetches().slice(0, 2), [portOf(leader), portOf(near)])
    assert.deepEqual([...new Set(asked.slice(1))], [portOf(near)])
    await kafka.stopBroker(near)
    await produce('near', values('c', 50))
    await seen(listener, 150)
    assert.equal(fetches().at(-1), portOf(leader))
    await kafka.startBroker(near)
    assert.deepEqual(listener.values(), [...values('a', 50), ...values('b', 50), ...values('c', 50)])
    assert.deepEqual(listener.events, ['assigned 0'])
    await consumer.stop()
  })

  test('an election of one that lacks records is noticed, by who reads and by who comes back (KIP-320)', async () => {
    const config = { 'min.insync.replicas': '1', 'unclean.leader.election.enable': 'true' }
    await kafka.createTopic('cut', { partitions: 1, replicationFactor: 2, config })
    const [described] = (await brokerMetadata(kafka.bootstrap()[0]!, ['cut'])).topics
    const { leaderId: leader, replicaNodes } = described!.partitions[0]!
    const follower = replicaNodes.find(node => node !== leader)!
    await produce('cut', values('both ', 3))
    const [reader, leaver] = [open('cut'), open('cut', { groupId: 'leavers' })]
    await seen(reader.listener, 3)
    await kafka.stopBroker(follower)
    for (const value of values('lost ', 3)) await produce('cut', [value])
    await seen(reader.listener, 6)
    await seen(leaver.listener, 6)
    await leaver.consumer.commit([{ topic: 'cut', partition: 0, offset: 6 }])
    await leaver.consumer.stop()
    await kafka.stopBroker(leader)
    await kafka.startBroker(follower)
    await eventually(async () => (await kafka.leaders('cut')).get(0) === follower, {
      describe: 'the follower leads',
      timeoutMs: 20_000
    })
    // More than was lost: where the reader stands there are other records now.
    await produce('cut', values('new ', 5))
    const expected = values('new ', 5)
    await seen(reader.listener, 11)
    assert.deepEqual(reader.listener.values(), [...values('both ', 3), ...values('lost ', 3), ...expected])
    assert.deepEqual(
      reader.listener.events.filter(event => event.startsWith('jumped')),
      ['jumped 0 6->3']
    )
    const back = open('cut', { groupId: 'leavers' })
    await seen(back.listener, 5)
    assert.deepEqual(back.listener.values(), expected)
    assert.deepEqual(back.listener.events, ['assigned 0', 'jumped 0 6->3'])
    await back.consumer.commit([{ topic: 'cut', partition: 0, offset: 8 }])
  })

  test('a fetch names what changed since the one before, and no more (KIP-227), also of partitions that pause', async t => {
    const partitions = Array.from({ length: 12 }, (_, partition) => partition)
    await kafka.createTopic('session', { partitions: partitions.length })
    const request = t.mock.method(Wire.prototype, 'request')
    /** Bytes of the fetches sent since it was last asked. */
    const sizes = () => {
      const found = request.mock.calls.map(call => call.arguments[0]).filter(({ apiKey }) => apiKey === fetchKey)
      request.mock.resetCalls()
      return found.map(({ payload }) => payload.length)
    }
    const { consumer, listener } = open('session', {}, { fetchIdleWaitMs: 200, fetchMaxWaitMs: 100 })
    await eventually(() => listener.owned.size === partitions.length, { describe: 'owned' })
    const settled: number[] = []
    await eventually(() => settled.push(...sizes()) > 10, { describe: 'some rounds', timeoutMs: 20_000 })
    const [largest, smallest] = [Math.max(...settled), Math.min(...settled)]
    assert.ok(largest - smallest >= 4 * 28, `the first named its partitions, later ones none: ${settled.join()}`)
    assert.deepEqual(new Set(settled.slice(-3)), new Set([smallest]))
    for (let round = 0; round < 20; round++) {
      for (const partition of partitions) {
        if ((round + partition) % 3 === 0) listener.paused.add(partition)
        else listener.paused.delete(partition)
      }
      consumer.resume()
      await kafka.produce(
        'session',
        partitions.map(partition => ({ value: `${round}`, partition }))
      )
    }
    listener.paused.clear()
    consumer.resume()
    await seen(listener, 20 * partitions.length)
    for (const partition of partitions) assert.deepEqual(listener.values(partition), values('', 20))
  })
})
