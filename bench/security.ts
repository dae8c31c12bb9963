// What encryption and authentication cost: rates of reading the same topic over TLS and over SASL/SCRAM by the rate over
// plaintext, paired round by round, from an Apache Kafka whose Java has its full compiler.
//   node bench/security.ts [--records=1000000] [--bytes=100] [--rounds=4]
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { Producer } from '@platformatic/kafka'
import { systemClock } from '../src/adapters/host/system-clock.ts'
import { readTopic } from '../src/adapters/kafka/topic-reader.ts'
import { silentLog } from '../src/adapters/log/silent.ts'
import type { ClusterSecurity } from '../src/ports/cluster-security.ts'
import { FakeSecrets, secret } from '../test/support/kafka/fake-secrets.ts'
import { RealKafka } from '../test/support/kafka/real-kafka.ts'
import { users, type ListenerName } from '../test/support/kafka/server-properties.ts'
import { spread } from './report.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    bytes: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '4' }
  }
})
const topic = 'bench'
const partitions = 6
const records = Number(values.records)

const serverRootCa = secret('ROOT')
const ways = {
  plaintext: { listener: 'plaintext', security: { protocol: 'PLAINTEXT' } },
  TLS: { listener: 'tls', security: { protocol: 'SSL', serverRootCa } },
  'SCRAM over TLS': {
    listener: 'sasl',
    security: { protocol: 'SASL_SSL', mechanism: 'SCRAM-SHA-512', login: secret('LOGIN'), serverRootCa }
  }
} as const satisfies Record<string, { listener: ListenerName; security: ClusterSecurity }>
type Way = keyof typeof ways

interface Rate {
  readonly recordsPerSecond: number
  readonly cpuSecondsPerMillion: number
}

await using kafka = new RealKafka({ listeners: ['tls', 'sasl'], fullCompiler: true })
await kafka.start()
await kafka.createTopic(topic, { partitions })
await fill(kafka.bootstrap())
const secrets = new FakeSecrets({
  login: { username: 'alice', password: users.alice },
  serverRootCa: await readFile(kafka.certificates.ca, 'utf8')
})
// Java compiles what is hot: what comes before that is not counted.
for (const way of Object.keys(ways) as Way[]) for (let warm = 0; warm < 2; warm++) await drain(way)

const rounds: Record<Way, Rate>[] = []
for (let round = 0; round < Number(values.rounds); round++) {
  const names = Object.keys(ways) as Way[]
  const rates: Partial<Record<Way, Rate>> = {}
  for (const way of round % 2 === 0 ? names : names.toReversed()) rates[way] = await drain(way)
  rounds.push(rates as Record<Way, Rate>)
}
for (const way of Object.keys(ways) as Way[]) {
  const of = (read: (rate: Rate) => number) => spread(rounds.map(round => read(round[way])))
  const ratio = spread(rounds.map(round => round[way].recordsPerSecond / round.plaintext.recordsPerSecond))
  const cpu = spread(rounds.map(round => round[way].cpuSecondsPerMillion / round.plaintext.cpuSecondsPerMillion))
  console.log(
    JSON.stringify({
      way,
      recordsPerSecond: Math.round(of(rate => rate.recordsPerSecond).median),
      cpuSecondsPerMillion: Number(of(rate => rate.cpuSecondsPerMillion).median.toFixed(3)),
      rateByPlaintext: `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`,
      cpuByPlaintext: `${cpu.median.toFixed(2)} (${cpu.min.toFixed(2)}–${cpu.max.toFixed(2)})`
    })
  )
}

/** Reads the whole topic once; counted from its first block, so that making connections is not. */
async function drain(way: Way): Promise<Rate> {
  const { listener, security } = ways[way]
  let read = 0
  let counted = 0
  let beganMs = 0
  let cpu = process.cpuUsage()
  const blocks = readTopic(
    {
      cluster: { bootstrapServers: kafka.bootstrap(listener), security },
      clientId: 'bench',
      topic,
      from: 'earliest',
      follow: false,
      signal: new AbortController().signal
    },
    { clock: systemClock, log: silentLog, secrets }
  )
  for await (const block of blocks) {
    if (read === 0) {
      beganMs = performance.now()
      cpu = process.cpuUsage()
    } else counted += block.count
    read += block.count
    block.finish(block.count)
  }
  if (read !== records) throw new Error(`${way}: ${read} records were read, ${records} were written`)
  const seconds = (performance.now() - beganMs) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { recordsPerSecond: counted / seconds, cpuSecondsPerMillion: (user + system) / counted }
}

async function fill(bootstrap: readonly string[]): Promise<void> {
  const producer = new Producer({ clientId: 'fill', bootstrapBrokers: [...bootstrap] })
  const value = Buffer.alloc(Number(values.bytes), 'the quick brown fox jumps over the lazy dog, ')
  const size = 1000
  for (let sent = 0, turn = 0; sent < records; sent += size, turn++) {
    const count = Math.min(size, records - sent)
    const messages = Array.from({ length: count }, () => ({ topic, partition: turn % partitions, value }))
    await producer.send({ messages, acks: 1 })
  }
  await producer.close()
}
