// Puts records into a topic, for want of a Kafka client at hand: node produce.mjs TOPIC COUNT [BROKER]
import { Producer, stringSerializers } from '@platformatic/kafka'

const [topic = 'orders', count = '10', broker = '127.0.0.1:9092'] = process.argv.slice(2)
const producer = new Producer({ clientId: 'example', bootstrapBrokers: [broker], serializers: stringSerializers })
const messages = Array.from({ length: Number(count) }, (_, at) => ({
  topic,
  key: `customer-${at % 7}`,
  value: JSON.stringify({ order: at })
}))
await producer.send({ messages })
await producer.close()
console.log(`${count} records put into ${topic}`)
