import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { systemClock } from '../../src/adapters/host/system-clock.ts'
import { openKafkaConsumer } from '../../src/adapters/kafka/kafka-consumer.ts'
import type { Consumer, ConsumerOptions } from '../../src/ports/consumer.ts'
import { RecordingListener } from '../adapters/kafka/recording-listener.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import type { RealKafka } from '../support/kafka/real-kafka.ts'
import { eventually } from '../support/poll.ts'
import { RecordingLog } from '../support/recording-log.ts'

interface Opened {
  readonly consumer: Consumer
  readonly listener: RecordingListener
  readonly log: RecordingLog
}

function setup(kafka: RealKafka) {
  const opened: Consumer[] = []
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(consumer => consumer.stop()))
  })
  return (topic: string, options: Partial<ConsumerOptions> = {}): Opened => {
    const listener = new RecordingListener()
    const log = new RecordingLog()
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
      { clock: systemClock, log },
      { metadataMaxAgeMs: 1000 }
    )
    opened.push(consumer)
    listener.onRevoked = async partitions =>
      consumer.commit(
        partitions.flatMap(partition => {
          const last = listener.records.findLast(record => record.partition === partition)
          return last === undefined ? [] : [{ topic, partition, offset: last.offset + 1 }]
        })
      )
    consumer.start(listener)
    return { consumer, listener, log }
  }
}

const until = (check: () => boolean, describe: string | (() => string)) =>
  eventually(check, { describe, intervalMs: 20, timeoutMs: 30_000 })

const shares = (...members: Opened[]) => members.map(({ listener }) => listener.owned.size)
const share = (counts: number[], ...members: Opened[]) =>
  until(
    () => shares(...members).join() === counts.join(),
    () =>
      `shares of ${counts.join()}, not ${shares(...members).join()}: ` +
      members.map(({ listener }) => `${listener.events.join('; ')} ${listener.problemNow?.message ?? ''}`).join(' | ')
  )
const read = (...members: Opened[]) => members.flatMap(({ listener }) => listener.values()).map(String)
const seen = (count: number, ...members: Opened[]) =>
  until(
    () => read(...members).length >= count,
    () => `${count} records, not ${read(...members).length}`
  )
const joinedBy = ({ log }: Opened) =>
  log.lines.findLast(line => line.message === 'joined the group')?.fields['protocol']
const sorted = (values: readonly string[]) => values.toSorted((a, b) => a.localeCompare(b))

await kafkaSuite('the group protocol consumer on Apache Kafka', runTool => {
  const kafka = kafkaForSuite({
    serverProperties: {
      'group.consumer.min.heartbeat.interval.ms': '200',
      'group.consumer.heartbeat.interval.ms': '200',
      'group.consumer.min.session.timeout.ms': '6000',
      'group.consumer.session.timeout.ms': '6000'
    }
  })
  const open = setup(kafka)
  /** `each` records on each of four partitions, every value another. */
  const put = async (topic: string, name: string, each: number): Promise<string[]> => {
    const records = Array.from({ length: 4 * each }, (_, i) => ({ value: `${name} ${i}`, partition: i % 4 }))
    await kafka.produce(topic, records)
    return records.map(({ value }) => value)
  }

  test('is chosen by itself; commits with metadata; a restart goes on behind what was committed', async () => {
    await kafka.createTopic('chosen', { partitions: 4 })
    await put('chosen', 'first', 2)
    const first = open('chosen')
    await seen(8, first)
    assert.equal(joinedBy(first), 'consumer')
    await first.consumer.commit([{ topic: 'chosen', partition: 0, offset: 1, metadata: 'done: 1' }])
    first.listener.onRevoked = () => Promise.resolve()
    await first.consumer.stop()
    assert.deepEqual((await kafka.committed('chosen-readers', 'chosen')).get(0), { offset: 1n, metadata: 'done: 1' })
    const second = open('chosen')
    await seen(7, second)
    assert.deepEqual(second.listener.values(0), ['first 4'])
    assert.deepEqual(first.listener.problems.concat(second.listener.problems).filter(Boolean), [])
  })

  test('members that come and go lose nothing and read nothing twice, and drain before they give up', async () => {
    await kafka.createTopic('shared', { partitions: 4 })
    const all: string[] = []
    const first = open('shared')
    await share([4], first)
    all.push(...(await put('shared', 'one', 25)))
    await seen(100, first)
    const drained = Promise.withResolvers<void>()
    const commit = first.listener.onRevoked
    first.listener.onRevoked = async partitions => drained.promise.then(() => commit(partitions))
    const second = open('shared')
    await until(() => first.listener.events.some(event => event.startsWith('revoked')), 'revoked')
    all.push(...(await put('shared', 'two', 25)))
    const sinceMs = performance.now()
    await until(() => performance.now() - sinceMs > 1500, 'several heartbeats')
    assert.deepEqual(shares(second), [0], 'nothing is given to the second before the first has drained')
    drained.resolve()
    await share([2, 2], first, second)
    await seen(200, first, second)
    await first.consumer.stop()
    await share([4], second)
    all.push(...(await put('shared', 'three', 25)))
    await seen(300, first, second)
    assert.deepEqual(sorted(read(first, second)), sorted(all))
    assert.deepEqual([...first.listener.strays, ...second.listener.strays], [])
    assert.ok(![first, second].some(({ listener }) => listener.events.some(event => event.startsWith('lost'))))
  })

  test('shares a group with Java’s console consumer', async () => {
    await kafka.createTopic('java', { partitions: 4 })
    const ours = open('java', { groupProtocol: 'consumer' })
    await share([4], ours)
    const before = await put('java', 'before', 10)
    await seen(40, ours)
    const group = ['--topic', 'java', '--group', 'java-readers', '--command-property', 'group.protocol=consumer']
    const java = runTool(
      'org.apache.kafka.tools.consumer.ConsoleConsumer',
      ['--bootstrap-server', kafka.bootstrap()[0]!, ...group, '--max-messages', '50', '--timeout-ms', '20000'],
      { timeoutMs: 40_000 }
    )
    await share([2], ours)
    const during = await put('java', 'during', 25)
    const { code, stdout, stderr } = await java
    assert.equal(code, 0, stderr)
    await share([4], ours)
    const after = await put('java', 'after', 10)
    await seen(130, ours)
    const theirs = stdout.trim().split('\n')
    assert.equal(theirs.length, 50)
    assert.deepEqual(sorted([...read(ours), ...theirs]), sorted([...before, ...during, ...after]))
  })

  test('a static member that is stopped and started again goes on where it was, unnoticed', async () => {
    await kafka.createTopic('static', { partitions: 4 })
    const first = open('static', { groupInstanceId: 'one' })
    await share([4], first)
    const other = open('static', { groupInstanceId: 'other' })
    await share([2, 2], first, other)
    const had = [...first.listener.owned]
    const heard = other.listener.events.length
    await first.consumer.stop()
    await put('static', 'meanwhile', 5)
    const back = open('static', { groupInstanceId: 'one' })
    await seen(20, back, other)
    assert.deepEqual(new Set(back.listener.owned), new Set(had))
    assert.equal(other.listener.events.length, heard)
    const epoch = (opened: Opened) => opened.log.lines.findLast(line => 'epoch' in line.fields)?.fields['epoch']
    assert.equal(epoch(back), epoch(other))
  })

  test('a group is taken from the classic protocol to this one while it works', async () => {
    await kafka.createTopic('upgraded', { partitions: 4 })
    const all: string[] = []
    const old = open('upgraded', { groupProtocol: 'classic' })
    await share([4], old)
    all.push(...(await put('upgraded', 'old', 10)))
    await seen(40, old)
    const young = open('upgraded')
    await share([2, 2], old, young)
    assert.deepEqual([joinedBy(old), joinedBy(young)], ['classic', 'consumer'])
    all.push(...(await put('upgraded', 'both', 10)))
    await seen(80, old, young)
    await old.consumer.stop()
    await share([4], young)
    all.push(...(await put('upgraded', 'young', 10)))
    await seen(120, old, young)
    assert.deepEqual(sorted(read(old, young)), sorted(all))
  })
})
