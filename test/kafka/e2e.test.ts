import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { suite, test } from 'node:test'
import { liveThrough } from '../e2e/lifecycle.ts'
import { clusterArn, LifecycleWorld } from '../e2e/lifecycle-world.ts'
import { MillraceWorld } from '../e2e/millrace-world.ts'
import { awsCliTest, cliApi } from '../support/aws-cli.ts'
import { never, returned } from '../support/http-function.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { mappingWhen, sdkApi } from '../support/mapping-api.ts'
import { eventually } from '../support/poll.ts'
import { assertExactlyOnce, realKafka } from '../support/written-topic.ts'

const callMs = 25
const small = { BatchSize: 5, MaximumBatchingWindowInSeconds: 0 }

await kafkaSuite('a mapping on Apache Kafka', () => {
  // The coordinator sets the session of KIP-848's members: 45 seconds unless told otherwise.
  const kafka = kafkaForSuite({
    serverProperties: {
      'group.consumer.min.session.timeout.ms': '10000',
      'group.consumer.session.timeout.ms': '10000',
      'group.consumer.min.heartbeat.interval.ms': '2000',
      'group.consumer.heartbeat.interval.ms': '2000'
    }
  })

  suite('its life', { concurrency: true }, () => {
    const world = new LifecycleWorld(() => realKafka(kafka))

    awsCliTest('through the AWS CLI: MSK source, local Node handler, then an HTTP function', async () => {
      const { access, watch, kafka } = world
      const functions = { first: world.function('local'), second: world.function('http') }
      await liveThrough({ api: cliApi(access), watch, kafka, clusterArn, ...functions, topic: 'cli' })
    })

    test('through the AWS SDK: self-managed source, HTTP function, then a local Node handler', async () => {
      const { access, watch, kafka } = world
      const functions = { first: world.function('other'), second: world.function('local') }
      await liveThrough({ api: sdkApi(access), watch, kafka, ...functions, topic: 'sdk' })
    })

    test('SIGTERM during work: exit 0, and nothing is delivered again after the restart', async t => {
      const world = await MillraceWorld.open(t, realKafka(kafka))
      const topic = await world.topic('stopped', 3)
      await topic.write(60)
      world.function.script = () => pause(callMs, returned)
      const millrace = await world.serve()
      await world.map(millrace, topic.name, small)
      await world.succeeded(60)
      assert.deepEqual(await millrace.stop(), { code: 0, signal: null })
      await millrace.start()
      await world.succeeded(topic.total)
      assertExactlyOnce(world.function.values(), topic.values())
      world.assertSound(topic)
    })

    test('kill -9 during work: the next one goes on when the session has ended, and no record is lost', async t => {
      const world = await MillraceWorld.open(t, realKafka(kafka))
      const topic = await world.topic('killed', 3)
      await topic.write(60)
      world.function.script = () => pause(callMs, returned)
      const millrace = await world.serve()
      const group = await world.map(millrace, topic.name, small)
      await world.succeeded(60)
      const before = world.function.calls.length
      world.function.script = () => never
      await eventually(() => world.function.calls.length > before, { describe: 'a call is in flight', intervalMs: 1 })
      await millrace.kill()
      for (const [partition, offset] of await world.kafka.committed(group, topic.name)) {
        world.audit.committed({ topic: topic.name, partition, offset })
      }
      world.audit.killed()
      world.function.script = () => returned
      await millrace.start()
      // A member of the classic protocol is missed after its 45 seconds.
      await world.succeeded(topic.total, 75_000)
      world.assertSound(topic)
    })
  })

  test('a broker that is restarted: the mapping says so, then goes on with every record once', async t => {
    const world = await MillraceWorld.open(t, realKafka(kafka))
    const topic = await world.topic('restarted', 2)
    await topic.write(10)
    const millrace = await world.serve()
    const uuid = await world.map(millrace, topic.name)
    const api = await world.api(millrace)
    await world.succeeded(topic.total)
    await mappingWhen(api, uuid, 'OK', ({ LastProcessingResult }) => LastProcessingResult === 'OK')
    await kafka.stopBroker(1)
    const says = /^PROBLEM: Connection error\./
    const told = await mappingWhen(api, uuid, String(says), mapping => says.test(mapping.LastProcessingResult ?? ''))
    assert.ok(told.LastProcessingResult?.includes(world.kafka.bootstrap[0]!), told.LastProcessingResult)
    assert.equal(told.State, 'Enabled')
    await kafka.startBroker(1)
    await topic.write(10)
    await world.succeeded(topic.total)
    await mappingWhen(api, uuid, 'OK', ({ LastProcessingResult }) => LastProcessingResult === 'OK')
    assertExactlyOnce(world.function.values(), topic.values())
    world.assertSound(topic)
  })
})
