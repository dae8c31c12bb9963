// The whole line beside the bare loop, over the same topic and the same function, in one run. See docs/performance.md.
import { mkdir } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { openBroker, fill, type BenchBroker, type BrokerKind } from './bench-broker.ts'
import type { Measured } from './function-double.ts'
import { FunctionProcess } from './function-process.ts'
import { machine } from './machine.ts'
import { ratios, table, told, type Round, type WorkloadResult } from './report.ts'
import { openBare, openMillrace, type OpenSubject } from './subjects.ts'
import { inFlight, partitions, roundUp, topicOf, workloads, type Workload } from './workloads.ts'

const usage = `Usage: node bench/line.ts [--workload NAME]... [--rounds N] [--records N] [--broker kafka|embedded] [--json] [--profile DIR]

Records per second and CPU seconds per million records of Millrace beside the bare loop. Workloads: ${workloads.map(({ name }) => name).join(', ')}.
  --workload NAME   only this one; may be repeated
  --rounds N        pairs of runs per workload (default 5)
  --records N       records per run, rounded up to whole batches (default: as the workload says)
  --broker KIND     kafka: Apache Kafka, which needs Java and Maven; embedded: Millrace's own broker (default: kafka where it can be had)
  --json            everything that was measured, as JSON
  --profile DIR     write CPU profiles of Millrace's threads there; its figures are then worth nothing`

interface Flags {
  readonly chosen: readonly Workload[]
  readonly rounds: number
  readonly records: number | undefined
  readonly broker: BrokerKind | undefined
  readonly json: boolean
  readonly profile: string | undefined
}

function readFlags(args: readonly string[]): Flags | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      workload: { type: 'string', multiple: true },
      rounds: { type: 'string', default: '5' },
      records: { type: 'string' },
      broker: { type: 'string' },
      json: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return undefined
  const { workload = workloads.map(({ name }) => name), broker } = values
  if (broker !== undefined && broker !== 'kafka' && broker !== 'embedded')
    throw new Error(`--broker must be kafka or embedded, got ${broker}`)
  return {
    chosen: workload.map(name => {
      const found = workloads.find(each => each.name === name)
      if (found === undefined)
        throw new Error(`--workload must be one of ${workloads.map(w => w.name).join(', ')}, got ${name}`)
      return found
    }),
    rounds: positive('--rounds', values.rounds),
    records: values.records === undefined ? undefined : positive('--records', values.records),
    broker,
    json: values.json,
    profile: values.profile
  }
}

function positive(flag: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${flag} must be a whole number of at least 1, got ${text}`)
  return value
}

const say = (text: string): boolean => process.stderr.write(`${text}\n`)

class Bench {
  readonly #flags: Flags
  readonly #broker: BenchBroker
  readonly #double: FunctionProcess
  /** Records of each topic that was filled. */
  readonly #filled: ReadonlyMap<string, number>

  constructor(flags: Flags, broker: BenchBroker, double: FunctionProcess, filled: ReadonlyMap<string, number>) {
    this.#flags = flags
    this.#broker = broker
    this.#double = double
    this.#filled = filled
  }

  async run(workload: Workload): Promise<WorkloadResult> {
    // Uncounted: wakes the broker's compiler and makes the topics in which it keeps groups' offsets.
    await this.#once(workload, 'millrace')
    const rounds: Round[] = []
    for (let round = 0; round < this.#flags.rounds; round++) {
      // A B B A: what drifts while the benchmark runs falls on both.
      const order = round % 2 === 0 ? (['millrace', 'bare'] as const) : (['bare', 'millrace'] as const)
      const measured = new Map<string, Measured>()
      for (const name of order) measured.set(name, await this.#once(workload, name))
      rounds.push({ millrace: measured.get('millrace')!, bare: measured.get('bare')!, load: loadavg()[0]! })
    }
    return { workload, rounds, ratios: ratios(rounds) }
  }

  async #once(workload: Workload, name: 'millrace' | 'bare'): Promise<Measured> {
    const open: OpenSubject = name === 'bare' ? openBare : openMillrace
    const topic = topicOf(workload)
    const records = this.#filled.get(topic)!
    const { batchSize, valueBytes } = workload
    const job = {
      bootstrap: this.#broker.bootstrap,
      topic,
      url: this.#double.url,
      batchSize,
      inFlight,
      recordsPerPartition: records / partitions
    }
    await using subject = await open(job, { profileDir: this.#flags.profile })
    await this.#double.expect({ pid: subject.pid, topic, partitions, valueBytes, records })
    void subject.ended.then(() => this.#double.giveUp())
    await subject.go()
    const measured = await this.#double.measured(30_000 + records / 10)
    const { faults } = measured
    say(`${workload.name.padEnd(11)} ${name.padEnd(9)} ${told(measured)}`)
    if (faults.length > 0) throw new Error(`the run of ${name} is void: ${faults.join('; ')}`)
    return measured
  }
}

async function main(): Promise<void> {
  const flags = readFlags(process.argv.slice(2))
  if (flags === undefined) {
    process.stdout.write(`${usage}\n`)
    return
  }
  // What was started is killed when this process exits.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  await using stack = new AsyncDisposableStack()
  if (flags.profile !== undefined) await mkdir(flags.profile, { recursive: true })
  const fillings = new Map<string, { valueBytes: number; records: number }>()
  for (const workload of flags.chosen) {
    const { valueBytes } = workload
    const records = roundUp(flags.records ?? workload.records, workload)
    const before = fillings.get(topicOf(workload))?.records ?? 0
    fillings.set(topicOf(workload), { valueBytes, records: Math.max(before, records) })
  }
  const payload = [...fillings.values()].reduce((sum, { valueBytes, records }) => sum + valueBytes * records, 0)
  const broker = stack.use(await openBroker(flags.broker, payload))
  for (const [topic, filling] of fillings) {
    say(
      `filling ${topic} with ${filling.records.toLocaleString('en')} records of ${filling.valueBytes} bytes (${broker.kind})`
    )
    await fill(broker.bootstrap, { topic, partitions, ...filling })
  }
  const double = stack.use(new FunctionProcess())
  await double.start()
  const filled = new Map([...fillings].map(([topic, { records }]) => [topic, records]))
  const bench = new Bench(flags, broker, double, filled)
  const results: WorkloadResult[] = []
  for (const workload of flags.chosen) results.push(await bench.run(workload))
  const facts = { ...machine(), broker: broker.kind, partitions, inFlight }
  say(JSON.stringify(facts))
  process.stdout.write(flags.json ? `${JSON.stringify({ ...facts, results })}\n` : `${table(results)}\n`)
}

try {
  await main()
} catch (error) {
  say(`bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
