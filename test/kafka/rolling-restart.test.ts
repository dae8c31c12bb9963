import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../src/adapters/host/system-clock.ts'
import { openKafkaConsumer } from '../../src/adapters/kafka/kafka-consumer.ts'
import { RecordingListener } from '../adapters/kafka/recording-listener.ts'
import { kafkaSuite, withRealKafka } from '../support/kafka/kafka-suite.ts'
import { eventually } from '../support/poll.ts'
import { RecordingLog } from '../support/recording-log.ts'

const partitions = [0, 1, 2, 3, 4, 5]

await kafkaSuite('a rolling restart of all brokers', () => {
  test('rebalances nothing, loses nothing, repeats nothing, and every commit is taken', async t => {
    const kafka = await withRealKafka(t, { brokers: 3 })
    await kafka.createTopic('orders', { partitions: partitions.length })
    const listener = new RecordingListener()
    const consumer = openKafkaConsumer(
      {
        cluster: { bootstrapServers: kafka.bootstrap() },
        topic: 'orders',
        groupId: 'readers',
        clientId: 'test',
        startingPosition: { kind: 'TRIM_HORIZON' },
        drainMs: 5000
      },
      { clock: systemClock, log: new RecordingLog() }
    )
    t.after(() => consumer.stop())
    consumer.start(listener)

    let produced = 0
    const produce = async () => {
      await kafka.produce(
        'orders',
        partitions.map(partition => ({ value: `${produced}`, partition }))
      )
      produced += partitions.length
    }
    const readAndCommit = async () => {
      await eventually(() => listener.records.length >= produced, {
        describe: () => `${produced} records; ${listener.records.length} came; ${listener.problemNow?.message}`,
        timeoutMs: 30_000
      })
      const next = new Map(listener.records.map(({ partition, offset }) => [partition, offset + 1]))
      await consumer.commit([...next].map(([partition, offset]) => ({ topic: 'orders', partition, offset })))
    }

    await produce()
    await readAndCommit()
    for (const broker of [1, 2, 3]) {
      await kafka.stopBroker(broker)
      await produce()
      await readAndCommit()
      await kafka.startBroker(broker)
      await produce()
      await readAndCommit()
    }
    assert.deepEqual(listener.events, ['assigned 0,1,2,3,4,5'])
    assert.equal(listener.records.length, produced)
    assert.equal(new Set(listener.records.map(({ partition, offset }) => `${partition}/${offset}`)).size, produced)
    const committed = await kafka.committed('readers', 'orders')
    assert.deepEqual(
      new Map([...committed].map(([partition, { offset }]) => [partition, offset])),
      await kafka.endOffsets('orders')
    )
    await eventually(() => listener.problemNow === undefined, {
      describe: () => `well: ${listener.problemNow?.message}`
    })
  })
})
