import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import type { ProducerTuning } from '../../../src/adapters/kafka/producer.ts'
import { topicDestination } from '../../../src/adapters/kafka/topic-destination.ts'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'
import type { FailureMessage } from '../../../src/ports/destination.ts'
import type { Log } from '../../../src/ports/log.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { destinationContract } from '../../contracts/destination.ts'
import { byText } from './embedded-world.ts'
import { values, written } from './writing-world.ts'

function openDestination(broker: EmbeddedBroker, log: Log, tuning: Partial<ProducerTuning> = {}) {
  const options = { topic: 'failures', cluster: { bootstrapServers: [broker.bootstrap] }, clientId: 'test' }
  return topicDestination(options, { clock: systemClock, log }, tuning)
}

async function setup(t: TestContext) {
  const broker = new EmbeddedBroker()
  await broker.start()
  broker.createTopic('failures', { partitions: 4 })
  const log = new RecordingLog()
  const destination = openDestination(broker, log)
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

  test('a topic that does not exist rejects with its name', async t => {
    const { broker, log } = await setup(t)
    const cluster = { bootstrapServers: [broker.bootstrap] }
    const other = topicDestination({ topic: 'gone', cluster, clientId: 'test' }, { clock: systemClock, log })
    t.after(() => other.close())
    await assert.rejects(other.deliver([message('a')], never), /Topic gone does not exist on .*: create it/)
  })
})

suite('reference 8.6: what every destination promises', () => {
  destinationContract('topic', async () => {
    const broker = new EmbeddedBroker()
    await broker.start()
    broker.createTopic('failures', { partitions: 4 })
    const destination = openDestination(broker, new RecordingLog(), { deliveryTimeoutMs: 1500 })
    return {
      destination,
      name: 'failures',
      received: async () =>
        (await written([broker.bootstrap], 'failures')).map(({ value }) => JSON.parse(value!) as unknown),
      breakDown: () => broker.stop(),
      heal: () => broker.start(),
      async [Symbol.asyncDispose]() {
        await destination.close()
        await broker.stop()
      }
    }
  })
})
