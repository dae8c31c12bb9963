// What encryption and authentication cost a whole mapping: rates of `millrace serve` from a topic to a function over HTTP, over TLS
// and over SASL/SCRAM with TLS, by the rate over plaintext, paired round by round, from an Apache Kafka whose Java has its full compiler.
//   node bench/security-line.ts [--records=300000] [--bytes=1024] [--batch=1000] [--rounds=4]
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { CreateEventSourceMappingCommandInput } from '@aws-sdk/client-lambda'
import { RealKafka } from '../test/support/kafka/real-kafka.ts'
import { users, type ListenerName } from '../test/support/kafka/server-properties.ts'
import { fill } from './bench-broker.ts'
import type { Measured } from './function-double.ts'
import { FunctionProcess } from './function-process.ts'
import { cpuSeconds } from './process-cost.ts'
import { spread, told } from './report.ts'
import { openMillrace } from './subjects.ts'
import { inFlight, partitions, roundUp } from './workloads.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '300000' },
    bytes: { type: 'string', default: '1024' },
    batch: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '4' }
  }
})
const topic = 'bench'
const batchSize = Number(values.batch)
const valueBytes = Number(values.bytes)
const records = roundUp(Number(values.records), { name: topic, valueBytes, batchSize, records: 0 })

const ways = {
  plaintext: { listener: 'plaintext', access: [] },
  TLS: { listener: 'tls', access: ['SERVER_ROOT_CA_CERTIFICATE'] },
  'SCRAM over TLS': { listener: 'sasl', access: ['SERVER_ROOT_CA_CERTIFICATE', 'SASL_SCRAM_512_AUTH'] }
} as const satisfies Record<string, { listener: ListenerName; access: readonly string[] }>
type Way = keyof typeof ways
const names = Object.keys(ways) as Way[]

const arn = (type: string): string => `arn:aws:secretsmanager:us-east-1:000000000000:secret:${type}`

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
await using stack = new AsyncDisposableStack()
const kafka = stack.use(new RealKafka({ listeners: ['tls', 'sasl'], fullCompiler: true }))
await kafka.start()
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
stack.defer(() => rm(folder, { recursive: true, force: true }))
const held = {
  SERVER_ROOT_CA_CERTIFICATE: { certificate: await readFile(kafka.certificates.ca, 'utf8') },
  SASL_SCRAM_512_AUTH: { username: 'alice', password: users.alice }
}
for (const [type, content] of Object.entries(held)) await writeFile(join(folder, type), JSON.stringify(content))
const secrets = Object.fromEntries(Object.keys(held).map(type => [arn(type), { file: join(folder, type) }]))
await fill(kafka.bootstrap().join(), { topic, partitions, valueBytes, records })
const double = stack.use(new FunctionProcess())
await double.start()

// Java compiles what is hot: what comes before that is not counted.
for (const way of names) await drain(way)
const rounds: Record<Way, Measured>[] = []
for (let round = 0; round < Number(values.rounds); round++) {
  const measured: Partial<Record<Way, Measured>> = {}
  for (const way of round % 2 === 0 ? names : names.toReversed()) {
    measured[way] = await drain(way)
    process.stderr.write(`${way.padEnd(14)} ${told(measured[way])}, load ${loadavg()[0]!.toFixed(1)}\n`)
  }
  rounds.push(measured as Record<Way, Measured>)
}
for (const way of names) {
  const of = (read: (measured: Measured) => number) => spread(rounds.map(round => read(round[way])))
  const by = (read: (measured: Measured) => number) => {
    const { median, min, max } = spread(rounds.map(round => read(round[way]) / read(round.plaintext)))
    return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`
  }
  console.log(
    JSON.stringify({
      way,
      recordsPerSecond: Math.round(of(rate).median),
      cpuSecondsPerMillion: Number(of(cpuPerMillion).median.toFixed(3)),
      rateByPlaintext: by(rate),
      cpuByPlaintext: by(cpuPerMillion)
    })
  )
}

function rate({ records, seconds }: Measured): number {
  return records / seconds
}

function cpuPerMillion({ records, cost }: Measured): number {
  return cost === undefined ? Number.NaN : (cpuSeconds(cost) * 1e6) / records
}

/** One server, one mapping, the whole topic. Throws when not every record came just once. */
async function drain(way: Way): Promise<Measured> {
  const { listener, access } = ways[way]
  const mapping: Partial<CreateEventSourceMappingCommandInput> = {
    SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrap(listener) } },
    SourceAccessConfigurations: access.map(Type => ({ Type, URI: arn(Type) }))
  }
  const recordsPerPartition = records / partitions
  const job = { bootstrap: '', topic, url: double.url, batchSize, inFlight, recordsPerPartition }
  await using subject = await openMillrace(job, { config: { secrets }, mapping })
  await double.expect({ pid: subject.pid, topic, partitions, valueBytes, records })
  void subject.ended.then(() => double.giveUp())
  await subject.go()
  const measured = await double.measured(30_000 + records / 10)
  if (measured.faults.length > 0) throw new Error(`the run over ${way} is void: ${measured.faults.join('; ')}`)
  return measured
}
