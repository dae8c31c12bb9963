import { suite, test } from 'node:test'
import { liveThrough } from '../e2e/lifecycle.ts'
import { clusterArn, LifecycleWorld } from '../e2e/lifecycle-world.ts'
import { awsCliTest, cliApi } from '../support/aws-cli.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { sdkApi } from '../support/mapping-api.ts'
import { realKafka } from '../support/written-topic.ts'

await kafkaSuite('a mapping on Apache Kafka', () => {
  const kafka = kafkaForSuite()
  const world = new LifecycleWorld(() => realKafka(kafka))

  suite('its life', { concurrency: true }, () => {
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
  })
})
