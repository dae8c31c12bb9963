import { test } from 'node:test'
import { outageSeconds, outageTestMs, outlastOutage, type OutageRow } from '../e2e/destination-outage.ts'
import { MillraceWorld } from '../e2e/millrace-world.ts'
import type { FailureDocument } from '../support/failure-documents.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { topicValues } from '../support/topic-values.ts'
import { realKafka } from '../support/written-topic.ts'

const failures = 'failures'

await kafkaSuite('a Kafka topic as destination that is out under load (reference 8.4, 8.6)', () => {
  const kafka = kafkaForSuite({ brokers: 3 })

  test(
    `${outageSeconds} s without it: nothing is lost or committed past, others go on, all arrives`,
    {
      timeout: outageTestMs
    },
    async t => {
      const world = await MillraceWorld.open(t, realKafka(kafka))
      // Without one broker of three the topic takes nothing, while two are enough for all others.
      await kafka.createTopic(failures, { partitions: 3, config: { 'min.insync.replicas': '3' } })
      const row: OutageRow = {
        name: 'orders',
        destination: `kafka://${failures}`,
        form: 'record',
        says: /^PROBLEM: The on-failure destination did not take the records\. Details: kafka:\/\/failures: .*NOT_ENOUGH_REPLICAS/,
        received: async () =>
          (await topicValues(kafka.bootstrap(), failures)).map(({ value }) => JSON.parse(value!) as FailureDocument)
      }
      await outlastOutage(t, world, [row], { begin: () => kafka.stopBroker(3), end: () => kafka.startBroker(3) })
    }
  )
})
