import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import type { ProducerTuning } from '../../../src/adapters/kafka/producer.ts'
import { topicDestination } from '../../../src/adapters/kafka/topic-destination.ts'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'
import type { FailureMessage } from '../../../src/ports/destination.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { byText, until } from './embedded-world.ts'
import { values, written } from './writing-world.ts'

async function setup(t: TestContext, tuning: Partial<ProducerTuning> = {}) {
  const broker = new EmbeddedBroker()
  await broker.start()
  broker.createTopic('failures', { partitions: 4 })
  const log = new RecordingLog()
  const destination = topicDestination(
    { topic: 'failures', cluster: { bootstrapServers: [broker.bootstrap] }, clientId: 'test' },
    { clock: systemClock, log },
    tuning
  )
  t.after(async () => {
    await destination.close()
    await broker.stop()
  })
  return { broker, destination, log, inTopic: () => written([broker.bootstrap], 'failures') }
}

const message = (body: string, key?: string | null): FailureMessage => ({
  body: Buffer.from(JSON.stringify({ body })),
  ...(key === undefined ? {} : { key: key === null ? null : Buffer.from(key) })
})
const never = new AbortController().signal

suite('reference 8.4: a topic as on-failure destination', () => {
  test('gets one message per record, under its own key, without headers', async t => {
    const { destination, inTopic } = await setup(t)
    await destination.deliver([message('a', 'k'), message('b', 'k'), message('c', '')], never)
    const found = await inTopic()
    assert.deepEqual(values(found).map(String).sort(byText), ['{"body":"a"}', '{"body":"b"}', '{"body":"c"}'])
    assert.deepEqual(found.map(({ key }) => String(key)).sort(byText), ['', 'k', 'k'])
    assert.equal(new Set(found.filter(({ key }) => key === 'k').map(({ partition }) => partition)).size, 1)
    assert.ok(found.every(({ headers }) => headers.length === 0))
  })

  test('spreads records without a key over its partitions', async t => {
    const { destination, inTopic } = await setup(t)
    await destination.deliver(
      ['a', 'b', 'c', 'd'].map(text => message(text, text === 'a' ? null : undefined)),
      never
    )
    const found = await inTopic()
    assert.deepEqual(
      found.map(({ partition, key }) => [partition, key]),
      [0, 1, 2, 3].map(partition => [partition, null])
    )
  })

  test('opens no connection before there is something to deliver', async t => {
    const { broker, destination, log } = await setup(t)
    await broker.stop()
    await destination.close()
    assert.deepEqual(log.lines, [])
  })

  test('keeps deliveries apart that are under way together', async t => {
    const { destination, inTopic } = await setup(t)
    await Promise.all(Array.from({ length: 50 }, (_, index) => destination.deliver([message(`${index}`)], never)))
    assert.equal((await inTopic()).length, 50)
  })
})

suite('reference 8.6: a topic that cannot take a delivery', () => {
  test('an outage rejects, and once healed the same messages are delivered', async t => {
    const { broker, destination, inTopic } = await setup(t, { deliveryTimeoutMs: 200 })
    const messages = [message('a', 'k'), message('b', 'k')]
    await broker.stop()
    await assert.rejects(destination.deliver(messages, never), /Topic failures on .* ECONNREFUSED/)
    await broker.start()
    await destination.deliver(messages, never)
    assert.deepEqual(values(await inTopic()), ['{"body":"a"}', '{"body":"b"}'])
  })

  test('a topic that does not exist rejects with its name', async t => {
    const { broker, log } = await setup(t)
    const cluster = { bootstrapServers: [broker.bootstrap] }
    const other = topicDestination({ topic: 'gone', cluster, clientId: 'test' }, { clock: systemClock, log })
    t.after(() => other.close())
    await assert.rejects(other.deliver([message('a')], never), /Topic gone does not exist on .*: create it/)
  })

  test('the signal ends the wait with its reason', async t => {
    const { broker, destination, log } = await setup(t)
    await broker.stop()
    const abort = new AbortController()
    const delivered = destination.deliver([message('a')], abort.signal)
    await until(() => log.lines.length > 0, 'the outage was met')
    abort.abort(new Error('revoked'))
    await assert.rejects(delivered, /revoked/)
  })

  test('closing rejects what is under way', async t => {
    const { broker, destination } = await setup(t)
    broker.answerNext('Produce', { delayMs: 60_000 })
    const delivered = assert.rejects(destination.deliver([message('a')], never), /the producer was closed/)
    await destination.close()
    await delivered
  })
})
