import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { ProduceFailure } from '../../src/adapters/kafka/produce-failure.ts'
import type { ProducedRecord } from '../../src/adapters/kafka/produce-delivery.ts'
import type { Producer } from '../../src/adapters/kafka/producer.ts'
import { producerFor, values, written } from '../adapters/kafka/writing-world.ts'
import type { WrittenRecord } from '../adapters/kafka/writing-world.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import type { RealKafka } from '../support/kafka/real-kafka.ts'
import { eventually } from '../support/poll.ts'

const hasKcat = spawnSync('kcat', ['-V']).status === 0

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)
const keyed = (keys: readonly string[]) => keys.map(key => ({ key: Buffer.from(key), value: Buffer.from(key) }))
const keys = [...numbered(200), 'ключ', 'a-little-bit-long-string', 'é', 'x'.repeat(300)]

/** The partition of each key. */
const placesOf = (records: readonly WrittenRecord[]) =>
  Object.fromEntries(records.map(({ key, partition }) => [key, partition]))

async function kcat(kafka: RealKafka, args: readonly string[], stdin = ''): Promise<string> {
  const child = spawn('kcat', ['-b', kafka.bootstrap().join(), ...args], { timeout: 30_000, killSignal: 'SIGKILL' })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  child.stdin.end(stdin)
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  assert.equal(code, 0, `kcat ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Sends the numbers from 0 on, a few at a time, until told to stop; answers where each is. */
function sendNumbers(producer: Producer, topic: string) {
  const places: ProducedRecord[][] = []
  const stop = new AbortController()
  const lanes = [0, 1, 2, 3].map(async () => {
    while (!stop.signal.aborted) {
      const index = places.push([]) - 1
      places[index] = await producer.send(topic, [{ key: Buffer.from(`${index % 7}`), value: Buffer.from(`${index}`) }])
    }
  })
  return {
    sent: () => places.filter(place => place.length > 0).length,
    async stop(): Promise<ProducedRecord[]> {
      stop.abort()
      await Promise.all(lanes)
      return places.flat()
    }
  }
}

/** Each number that was acknowledged is there exactly once, where it was said to be. */
function assertExactlyOnce(records: readonly WrittenRecord[], places: readonly ProducedRecord[]): void {
  assert.deepEqual(
    values(records)
      .map(Number)
      .sort((a, b) => a - b),
    [...places.keys()]
  )
  const offsets = new Map(records.map(({ value, partition, offset }) => [Number(value), { partition, offset }]))
  for (const [index, place] of places.entries()) assert.deepEqual(offsets.get(index), place)
}

await kafkaSuite('a producer on one Kafka broker', runTool => {
  const kafka = kafkaForSuite()

  test("chooses the partition of every key as Java's producer does", async t => {
    await kafka.createTopic('ours', { partitions: 7 })
    await kafka.createTopic('java', { partitions: 7 })
    await producerFor(t, kafka.bootstrap()).send('ours', keyed(keys))
    const { code, stderr } = await runTool(
      'org.apache.kafka.tools.ConsoleProducer',
      [
        '--bootstrap-server',
        kafka.bootstrap()[0]!,
        '--topic',
        'java',
        '--reader-property',
        'parse.key=true',
        '--reader-property',
        'key.separator=|'
      ],
      { stdin: keys.map(key => `${key}|${key}\n`).join('') }
    )
    assert.equal(code, 0, stderr)
    const byJava = placesOf(await written(kafka.bootstrap(), 'java'))
    assert.equal(Object.keys(byJava).length, keys.length)
    assert.deepEqual(placesOf(await written(kafka.bootstrap(), 'ours')), byJava)
  })

  test('chooses it as librdkafka does with murmur2', { skip: !hasKcat && 'kcat is not on the PATH' }, async t => {
    await kafka.createTopic('ours-too', { partitions: 5 })
    await kafka.createTopic('kcat', { partitions: 5 })
    await producerFor(t, kafka.bootstrap()).send('ours-too', keyed(keys))
    const lines = keys.map(key => `${key}|${key}\n`).join('')
    await kcat(kafka, ['-P', '-t', 'kcat', '-K', '|', '-X', 'topic.partitioner=murmur2'], lines)
    assert.deepEqual(
      placesOf(await written(kafka.bootstrap(), 'ours-too')),
      placesOf(await written(kafka.bootstrap(), 'kcat'))
    )
  })

  test('is read by foreign clients as it wrote: keys, values, headers, times, nulls', async t => {
    await kafka.createTopic('foreign', { partitions: 1 })
    const timestampMs = 1_700_000_000_123
    await producerFor(t, kafka.bootstrap()).send('foreign', [
      {
        key: Buffer.from('k'),
        value: Buffer.from([0, 255]),
        headers: [
          ['h', Buffer.from('1')],
          ['n', null]
        ],
        timestampMs
      },
      { value: null, timestampMs: timestampMs - 5_000_000_000 },
      { key: Buffer.alloc(0), value: Buffer.alloc(0), timestampMs: timestampMs + 5_000_000_000 }
    ])
    const client = new Kafka({ clientId: 'foreign', brokers: kafka.bootstrap(), logLevel: logLevel.NOTHING })
    const consumer = client.consumer({ groupId: 'foreign' })
    t.after(() => consumer.disconnect())
    await consumer.connect()
    await consumer.subscribe({ topic: 'foreign', fromBeginning: true })
    const seen: unknown[] = []
    await consumer.run({
      eachMessage({ message: { key, value, headers, timestamp } }) {
        seen.push({ key, value, headers, timestamp: Number(timestamp) })
        return Promise.resolve()
      }
    })
    await eventually(() => seen.length >= 3, { describe: 'three messages', timeoutMs: 30_000 })
    assert.deepEqual(seen, [
      {
        key: Buffer.from('k'),
        value: Buffer.from([0, 255]),
        headers: { h: Buffer.from('1'), n: null },
        timestamp: timestampMs
      },
      { key: null, value: null, headers: {}, timestamp: timestampMs - 5_000_000_000 },
      { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: {}, timestamp: timestampMs + 5_000_000_000 }
    ])
  })

  test('a record that is larger than the topic takes is refused by name, and others are written', async t => {
    await kafka.createTopic('small', { partitions: 1, config: { 'max.message.bytes': '20000' } })
    const producer = producerFor(t, kafka.bootstrap())
    const good = numbered(100).map(each => each.padEnd(1000, '.'))
    const sends = good.map(value => producer.send('small', [{ value: Buffer.from(value) }]))
    const bad = producer.send('small', [{ value: Buffer.alloc(30_000) }])
    await assert.rejects(bad, /A record of 300\d\d bytes is larger than topic small .*max\.message\.bytes/)
    await Promise.all(sends)
    assert.deepEqual(values(await written(kafka.bootstrap(), 'small')), good)
  })

  test('a record without a key is refused by a compacted topic, one of another send in the same batch is not', async t => {
    await kafka.createTopic('compacted', { partitions: 1, config: { 'cleanup.policy': 'compact' } })
    const producer = producerFor(t, kafka.bootstrap())
    const sends = keyed(['a', 'b', 'c']).map(message => producer.send('compacted', [message]))
    await assert.rejects(producer.send('compacted', [{ value: Buffer.from('x') }]), /compacted .*INVALID_RECORD.*key/)
    await Promise.all(sends)
    assert.deepEqual(values(await written(kafka.bootstrap(), 'compacted')), ['a', 'b', 'c'])
  })

  test('a topic that does not exist is not made by sending to it', async t => {
    const sent = producerFor(t, kafka.bootstrap()).send('nowhere', [{ value: null }])
    await assert.rejects(sent, /^ProduceFailure: Topic nowhere does not exist on 127\.0\.0\.1:\d+: create it/)
  })

  test('a broker that restarts while it is written to has every record once', async t => {
    await kafka.createTopic('restarted', { partitions: 3 })
    const numbers = sendNumbers(producerFor(t, kafka.bootstrap()), 'restarted')
    await eventually(() => numbers.sent() > 500, { describe: 'records before' })
    await kafka.killBroker(1)
    await kafka.startBroker(1)
    const before = numbers.sent()
    await eventually(() => numbers.sent() > before + 500, { describe: 'records after', timeoutMs: 30_000 })
    const places = await numbers.stop()
    assertExactlyOnce(await written(kafka.bootstrap(), 'restarted'), places)
  })

  test('committed records alone are read, and the newest are counted without aborted ones and markers', async () => {
    await kafka.createTopic('transactions', { partitions: 1 })
    const client = new Kafka({ clientId: 'tx', brokers: kafka.bootstrap(), logLevel: logLevel.NOTHING })
    const producer = client.producer({ transactionalId: 'tx', maxInFlightRequests: 1, idempotent: true })
    await producer.connect()
    for (const [index, value] of numbered(12).entries()) {
      const transaction = await producer.transaction()
      await transaction.send({ topic: 'transactions', messages: [{ value }] })
      await (index % 3 === 1 ? transaction.abort() : transaction.commit())
    }
    await producer.disconnect()
    const committed = ['0', '2', '3', '5', '6', '8', '9', '11']
    assert.deepEqual(values(await written(kafka.bootstrap(), 'transactions')), committed)
    assert.deepEqual(
      values(await written(kafka.bootstrap(), 'transactions', { from: { last: 5 } })),
      committed.slice(-5)
    )
  })
})

await kafkaSuite('a producer on three Kafka brokers', () => {
  const kafka = kafkaForSuite({ brokers: 3 })

  test('leaders that move while they are written to: every record once, where it was said to be', async t => {
    await kafka.createTopic('moved', { partitions: 6 })
    const numbers = sendNumbers(producerFor(t, kafka.bootstrap()), 'moved')
    for (const node of [1, 2]) {
      const before = numbers.sent()
      await eventually(() => numbers.sent() > before + 300, { describe: 'records before', timeoutMs: 30_000 })
      await (node === 1 ? kafka.stopBroker(node) : kafka.killBroker(node))
      const during = numbers.sent()
      await eventually(() => numbers.sent() > during + 300, { describe: 'records meanwhile', timeoutMs: 40_000 })
      await kafka.startBroker(node)
    }
    const places = await numbers.stop()
    assertExactlyOnce(await written(kafka.bootstrap(), 'moved'), places)
  })

  test('too few copies: told in time, and what was told as failed may be sent again', async t => {
    await kafka.createTopic('lonely', { partitions: 1 })
    const producer = producerFor(t, kafka.bootstrap(), { deliveryTimeoutMs: 8000, acksTimeoutMs: 2000 })
    await producer.send('lonely', [{ value: Buffer.from('a') }])
    const leader = (await kafka.leaders('lonely')).get(0)!
    const followers = [1, 2, 3].filter(node => node !== leader)
    for (const node of followers) kafka.pauseBroker(node)
    const sent = producer.send('lonely', [{ value: Buffer.from('b') }])
    await assert.rejects(sent, (error: unknown) => error instanceof ProduceFailure && error.kind === 'timeout')
    for (const node of followers) kafka.resumeBroker(node)
    await producer.send('lonely', [{ value: Buffer.from('c') }])
    const found = values(await written(kafka.bootstrap(), 'lonely'))
    assert.deepEqual([found[0], found.at(-1)], ['a', 'c'])
    assert.ok(found.length <= 3, found.join())
  })
})
