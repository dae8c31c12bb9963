import { languageTests } from '../e2e/local-languages.ts'
import { MillraceWorld } from '../e2e/millrace-world.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import { realKafka } from '../support/written-topic.ts'

await kafkaSuite('functions in other languages on Apache Kafka', () => {
  const kafka = kafkaForSuite()
  languageTests(t => MillraceWorld.open(t, realKafka(kafka)))
})
