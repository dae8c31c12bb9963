import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import type { ProduceFailureKind } from '../../../src/adapters/kafka/produce-failure.ts'
import { ProduceFailure } from '../../../src/adapters/kafka/produce-failure.ts'
import type { ProducerTuning } from '../../../src/adapters/kafka/producer.ts'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'
import type { EmbeddedBrokerOptions } from '../../../src/devbroker/broker.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { until } from './embedded-world.ts'
import { producerFor, values, written } from './writing-world.ts'

async function setup(t: TestContext, partitions = 1, options: EmbeddedBrokerOptions = {}) {
  const broker = new EmbeddedBroker(options)
  await broker.start()
  broker.createTopic('orders', { partitions })
  t.after(() => broker.stop())
  const log = new RecordingLog()
  const open = (tuning: Partial<ProducerTuning> = {}) => producerFor(t, [broker.bootstrap], tuning, log)
  const inTopic = (topic = 'orders') => written([broker.bootstrap], topic)
  /** Requests that failed so far, as the log tells. */
  const failures = () => log.messages('warn').length
  return { broker, open, inTopic, failures, log }
}

const valued = (...texts: string[]) => texts.map(text => ({ value: Buffer.from(text) }))
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

async function failure(kind: ProduceFailureKind, sent: Promise<unknown>): Promise<string> {
  const error = await sent.then(
    () => assert.fail('it was acknowledged'),
    (error: unknown) => error
  )
  assert.ok(error instanceof ProduceFailure, String(error))
  assert.equal(error.kind, kind, error.message)
  return error.message
}

suite('a producer', () => {
  test('tells where each message is, in their order', async t => {
    const { open, inTopic } = await setup(t, 3)
    const messages = [2, 0, 2, 1].map((partition, index) => ({ partition, value: Buffer.from(`m${index}`) }))
    assert.deepEqual(await open().send('orders', messages), [
      { partition: 2, offset: 0 },
      { partition: 0, offset: 0 },
      { partition: 2, offset: 1 },
      { partition: 1, offset: 0 }
    ])
    assert.deepEqual(values(await inTopic()), ['m1', 'm3', 'm0', 'm2'])
  })

  test('writes null and empty keys and values, headers and timestamps as they were given', async t => {
    const { open, inTopic } = await setup(t)
    const empty = Buffer.alloc(0)
    await open().send('orders', [
      { value: null, timestampMs: 5 },
      { key: empty, value: empty, timestampMs: 1 },
      {
        key: Buffer.from('ключ'),
        value: Buffer.from('v'),
        timestampMs: 1_700_000_000_000.4,
        headers: [
          ['a', Buffer.from('1')],
          ['a', null],
          ['', empty]
        ]
      }
    ])
    const at = { partition: 0, headers: [] }
    assert.deepEqual(await inTopic(), [
      { ...at, offset: 0, timestampMs: 5, key: null, value: null },
      { ...at, offset: 1, timestampMs: 1, key: '', value: '' },
      {
        ...at,
        offset: 2,
        timestampMs: 1_700_000_000_000,
        key: 'ключ',
        value: 'v',
        headers: [
          ['a', '1'],
          ['a', null],
          ['', '']
        ]
      }
    ])
  })

  test('sends nothing at once', async t => {
    const { open } = await setup(t)
    assert.deepEqual(await open().send('orders', []), [])
  })

  test('keeps the order of many sends that do not wait for each other, in few batches', async t => {
    const { open, inTopic } = await setup(t)
    const producer = open()
    await Promise.all(numbered(2000).map(text => producer.send('orders', valued(text))))
    assert.deepEqual(values(await inTopic()), numbered(2000))
  })

  test('parts what is more than a batch may hold, in order', async t => {
    const { open, inTopic } = await setup(t)
    const texts = numbered(50).map(text => text.padEnd(100_000, '.'))
    await open().send('orders', valued(...texts))
    assert.deepEqual(values(await inTopic()), texts)
  })

  test('writes to many topics and partitions at a time', async t => {
    const { broker, open, inTopic } = await setup(t, 4)
    broker.createTopic('others', { partitions: 2 })
    const producer = open()
    const sends = numbered(60).map((text, index) => producer.send(index % 2 === 0 ? 'orders' : 'others', valued(text)))
    await Promise.all(sends)
    assert.equal((await inTopic()).length, 30)
    assert.equal((await inTopic('others')).length, 30)
  })
})

suite('a producer in trouble', () => {
  test('an answer that was lost leads to no second copy, and the offsets are the first ones', async t => {
    const { broker, open, inTopic, failures } = await setup(t)
    const producer = open()
    broker.answerNext('Produce', { loseAnswer: true }, 2)
    assert.deepEqual(await producer.send('orders', valued('a', 'b')), [
      { partition: 0, offset: 0 },
      { partition: 0, offset: 1 }
    ])
    await producer.send('orders', valued('c'))
    assert.deepEqual(values(await inTopic()), ['a', 'b', 'c'])
    assert.equal(failures(), 2)
  })

  test('connections that break again and again lead to each message once, in order', async t => {
    const { broker, open, inTopic } = await setup(t, 2)
    const producer = open()
    const sends = []
    for (let round = 0; round < 30; round++) {
      const fault = round % 3 === 0 ? { dropConnection: true as const } : { loseAnswer: true as const }
      if (round % 2 === 0) broker.answerNext('Produce', fault)
      sends.push(producer.send('orders', [{ partition: round % 2, value: Buffer.from(`${round}`) }]))
      if (round % 5 === 0) await sends.at(-1)
    }
    const places = (await Promise.all(sends)).flat()
    const found = await inTopic()
    assert.equal(found.length, 30)
    for (const [round, { partition, offset }] of places.entries())
      assert.equal(found.find(each => each.partition === partition && each.offset === offset)?.value, `${round}`)
    for (const partition of [0, 1]) {
      const texts = values(found.filter(each => each.partition === partition)).map(Number)
      assert.deepEqual(
        texts,
        texts.toSorted((a, b) => a - b)
      )
    }
  })

  for (const error of [
    'NOT_LEADER_OR_FOLLOWER',
    'LEADER_NOT_AVAILABLE',
    'NOT_ENOUGH_REPLICAS',
    'REQUEST_TIMED_OUT',
    'KAFKA_STORAGE_ERROR',
    'UNKNOWN_SERVER_ERROR'
  ]) {
    test(`${error} is tried again`, async t => {
      const { broker, open, inTopic } = await setup(t)
      broker.answerNext('Produce', { error }, 2)
      await open().send('orders', valued('a'))
      assert.deepEqual(values(await inTopic()), ['a'])
    })
  }

  test('a broker that is away for a while gets everything once when it is back', async t => {
    const { broker, open, inTopic, failures } = await setup(t)
    const producer = open()
    await producer.send('orders', valued('before'))
    await broker.stop()
    const sends = Promise.all(numbered(100).map(text => producer.send('orders', valued(text))))
    await until(() => failures() > 0, 'the broker was missed')
    await broker.start()
    await sends
    assert.deepEqual(values(await inTopic()), ['before', ...numbered(100)])
  })

  for (const error of ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH']) {
    test(`${error} for what cannot be in the log: a new producer id, and it is sent`, async t => {
      const { broker, open, inTopic, log } = await setup(t)
      const producer = open()
      await producer.send('orders', valued('a'))
      broker.answerNext('Produce', { error })
      await producer.send('orders', valued('b'))
      assert.deepEqual(values(await inTopic()), ['a', 'b'])
      assert.ok(log.messages().includes('the broker lost track of the producer: it takes a new id'))
    })
  }

  test('OUT_OF_ORDER_SEQUENCE_NUMBER for what may be in the log is told, and the next send goes on', async t => {
    const { broker, open, inTopic } = await setup(t)
    const producer = open()
    broker.answerNext('Produce', { loseAnswer: true })
    broker.answerNext('Produce', { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
    assert.match(await failure('in-doubt', producer.send('orders', valued('a'))), /may or may not have 1 records/)
    await producer.send('orders', valued('b'))
    assert.deepEqual(values(await inTopic()), ['a', 'b'])
  })

  test('a batch that was given up in doubt does not make the broker take the next one for it', async t => {
    const { broker, open, inTopic, failures } = await setup(t)
    const producer = open()
    const abort = new AbortController()
    broker.answerNext('Produce', { loseAnswer: true })
    const given = producer.send('orders', valued('a'), abort.signal)
    await until(() => failures() > 0, 'the answer was missed')
    await broker.stop()
    abort.abort(new Error('enough'))
    await assert.rejects(given, /enough/)
    await broker.start()
    assert.deepEqual(await producer.send('orders', valued('b')), [{ partition: 0, offset: 1 }])
    assert.deepEqual(values(await inTopic()), ['a', 'b'])
  })

  test('what is not acknowledged in time is told of, with what was last heard', async t => {
    const { broker, open } = await setup(t)
    broker.answerNext('Produce', { error: 'NOT_ENOUGH_REPLICAS' }, 100)
    const sent = open({ deliveryTimeoutMs: 200 }).send('orders', valued('a'))
    assert.match(await failure('timeout', sent), /200 ms: partition 0 of orders: NOT_ENOUGH_REPLICAS/)
  })

  test('an unreachable cluster is told of in time, with the reason', async t => {
    const { broker, open } = await setup(t)
    const producer = open({ deliveryTimeoutMs: 200 })
    await broker.stop()
    const message = await failure('timeout', producer.send('orders', valued('a')))
    assert.match(message, /Topic orders on 127\.0\.0\.1:\d+ .* 200 ms: .*ECONNREFUSED/)
  })
})

suite('what a producer is refused', () => {
  test('a topic that does not exist', async t => {
    const { broker, open } = await setup(t)
    const message = await failure('unknown-topic', open().send('nowhere', valued('a')))
    assert.equal(message, `Topic nowhere does not exist on ${broker.bootstrap}: create it, or name one that exists.`)
  })

  test('a topic that comes a moment later is waited for', async t => {
    const { broker, open, inTopic, log } = await setup(t)
    const sent = open().send('late', valued('a'))
    await until(() => log.messages('debug').length > 0, 'it was looked for')
    broker.createTopic('late', { partitions: 1 })
    await sent
    assert.deepEqual(values(await inTopic('late')), ['a'])
  })

  test('a partition that does not exist', async t => {
    const { open } = await setup(t, 3)
    const message = await failure('unknown-topic', open().send('orders', [{ partition: 3, value: null }]))
    assert.equal(message, 'Topic orders has no partition 3: its partitions are 0 to 2.')
  })

  test('a name that no topic can have', async t => {
    const { open } = await setup(t)
    assert.match(await failure('unknown-topic', open().send('a b', valued('x'))), /"a b" cannot be the name of a topic/)
  })

  test('one record that is too large, while those of others in its batch are written', async t => {
    const { broker, open, inTopic } = await setup(t)
    broker.createTopic('small', { partitions: 1, config: { 'max.message.bytes': '5000' } })
    const producer = open()
    await producer.send('small', valued('first'))
    const good = numbered(20).map(text => text.padEnd(1000, '.'))
    const sends = good.map(text => producer.send('small', valued(text)))
    const bad = failure('too-large', producer.send('small', valued('x'.repeat(6000))))
    const more = producer.send('small', valued('last'))
    assert.match(await bad, /60\d\d bytes is larger than topic small .*max\.message\.bytes/)
    await Promise.all([...sends, more])
    assert.deepEqual(values(await inTopic('small')), ['first', ...good, 'last'])
  })

  for (const [error, kind] of [
    ['TOPIC_AUTHORIZATION_FAILED', 'authorization'],
    ['POLICY_VIOLATION', 'refused'],
    ['INVALID_RECORD', 'refused']
  ] as const) {
    test(`${error} at once, and the next message goes on`, async t => {
      const { broker, open, inTopic } = await setup(t)
      const producer = open()
      broker.answerNext('Produce', { error })
      assert.match(await failure(kind, producer.send('orders', valued('a'))), new RegExp(error))
      await producer.send('orders', valued('b'))
      assert.deepEqual(values(await inTopic()), ['b'])
    })
  }

  test('a producer id: said at once where waiting is of no use', async t => {
    const { broker, open } = await setup(t)
    broker.answerNext('InitProducerId', { error: 'CLUSTER_AUTHORIZATION_FAILED' })
    assert.match(await failure('authorization', open().send('orders', valued('a'))), /IdempotentWrite/)
  })

  test('a producer id: waited for where it may come', async t => {
    const { broker, open, inTopic } = await setup(t)
    broker.answerNext('InitProducerId', { error: 'COORDINATOR_LOAD_IN_PROGRESS' }, 2)
    await open().send('orders', valued('a'))
    assert.deepEqual(values(await inTopic()), ['a'])
  })

  test('a timestamp that is none', async t => {
    const { open } = await setup(t)
    const message = /timestampMs must be milliseconds since 1970, got NaN/
    await assert.rejects(open().send('orders', [{ value: null, timestampMs: NaN }]), message)
  })
})

suite('ending a producer or a send', () => {
  test('an aborted send rejects with its reason, and is not sent when it had not been', async t => {
    const { broker, open, inTopic, failures } = await setup(t)
    const producer = open()
    await producer.send('orders', valued('a'))
    await broker.stop()
    const abort = new AbortController()
    const sent = producer.send('orders', valued('b'), abort.signal)
    await until(() => failures() > 0, 'the broker was missed')
    abort.abort(new Error('enough'))
    await assert.rejects(sent, /enough/)
    await broker.start()
    await producer.send('orders', valued('c'))
    assert.deepEqual(values(await inTopic()), ['a', 'c'])
  })

  test('an aborted send leaves those of others alone', async t => {
    const { broker, open, inTopic, log } = await setup(t)
    const producer = open()
    await broker.stop()
    const abort = new AbortController()
    const mine = producer.send('orders', valued('mine'), abort.signal)
    const theirs = producer.send('orders', valued('theirs'))
    await until(() => log.messages('debug').length > 0, 'the broker was missed')
    abort.abort(new Error('enough'))
    await assert.rejects(mine, /enough/)
    await broker.start()
    await theirs
    assert.deepEqual(values(await inTopic()), ['theirs'])
  })

  test('a signal that has fired already sends nothing', async t => {
    const { open, inTopic } = await setup(t)
    await assert.rejects(open().send('orders', valued('a'), AbortSignal.abort(new Error('enough'))), /enough/)
    assert.deepEqual(await inTopic(), [])
  })

  test('closing rejects what is under way and what comes after, and is safe twice', async t => {
    const { broker, open } = await setup(t)
    const producer = open()
    broker.answerNext('Produce', { delayMs: 60_000 })
    const sent = failure('closed', producer.send('orders', valued('a')))
    await Promise.all([producer.close(), producer.close()])
    await sent
    await failure('closed', producer.send('orders', valued('b')))
  })
})
