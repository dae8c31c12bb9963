// Millrace beside others that read the same topic in the same run: a consumer written by hand with a library of Node, which
// calls the same function, and Kafka's own ConsumerPerformance (Java), which only reads. Needs Java. See docs/performance.md.
//   node bench/peers.ts [--workload NAME]... [--rounds 2] [--records N]
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { fill, openBroker } from './bench-broker.ts'
import type { Measured } from './function-double.ts'
import { FunctionProcess } from './function-process.ts'
import { machine } from './machine.ts'
import { runConsumerPerformance } from './peers/consumer-performance.ts'
import { cpuSeconds } from './process-cost.ts'
import type { Cost } from './process-cost.ts'
import { spread } from './report.ts'
import { openHandWritten, openMillrace } from './subjects.ts'
import { inFlight, partitions, roundUp, topicOf, workloads } from './workloads.ts'
import type { Workload } from './workloads.ts'

const { values: flags } = parseArgs({
  options: {
    workload: { type: 'string', multiple: true, default: ['100B-10000', '1KB-1000'] },
    rounds: { type: 'string', default: '2' },
    records: { type: 'string' }
  }
})

const names = ['millrace', 'hand-written', 'ConsumerPerformance'] as const
type Name = (typeof names)[number]

interface Run {
  readonly records: number
  readonly seconds: number
  readonly cost?: Cost
  readonly peakMiB?: number
}

const say = (text: string): boolean => process.stderr.write(`${text}\n`)
const rate = ({ records, seconds }: Run): number => records / seconds
const perMillion = ({ cost, records }: Run): number => (cost === undefined ? NaN : (cpuSeconds(cost) * 1e6) / records)
const whole = (value: number): string => Math.round(value).toLocaleString('en')

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const chosen = flags.workload.map(name => {
    const found = workloads.find(workload => workload.name === name)
    if (found === undefined) throw new Error(`--workload must be one of ${workloads.map(w => w.name).join(', ')}`)
    return found
  })
  await using broker = await openBroker('kafka', 0)
  await using double = new FunctionProcess()
  await double.start()
  const rows: string[] = []
  for (const workload of chosen) {
    const topic = topicOf(workload)
    const { batchSize, valueBytes } = workload
    const records = roundUp(Number(flags.records ?? workload.records), workload)
    await fill(broker.bootstrap, { topic, partitions, valueBytes, records })
    const job = {
      bootstrap: broker.bootstrap,
      topic,
      url: double.url,
      batchSize,
      inFlight,
      recordsPerPartition: records / partitions
    }
    const once = async (name: Name): Promise<Run> => {
      if (name === 'ConsumerPerformance') return runConsumerPerformance(broker.bootstrap, topic, records)
      await using subject = await (name === 'millrace' ? openMillrace(job, {}) : openHandWritten(job, {}))
      await double.expect({ pid: subject.pid, topic, partitions, valueBytes, records })
      void subject.ended.then(() => double.giveUp())
      await subject.go()
      const measured: Measured = await double.measured(60_000)
      if (measured.faults.length > 0) throw new Error(`the run of ${name} is void: ${measured.faults.join('; ')}`)
      return measured
    }
    // Uncounted: wakes the broker's compiler and makes the topics in which it keeps groups' offsets.
    await once('millrace')
    const runs = new Map<Name, Run[]>(names.map(name => [name, []]))
    for (let round = 0; round < Number(flags.rounds); round++) {
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        const run = await once(name)
        runs.get(name)!.push(run)
        say(
          `${workload.name} ${name}: ${whole(rate(run))} records/s, ${perMillion(run).toFixed(2)} CPU s per million, ` +
            `${run.peakMiB ?? '?'} MiB (load ${loadavg()[0]!.toFixed(1)})`
        )
      }
    }
    rows.push(row(workload, runs))
  }
  say(JSON.stringify(machine()))
  console.log(
    '| workload | Millrace: records/s (CPU s per million) | by hand | ConsumerPerformance | Millrace by hand-written, rate | CPU | Millrace by ConsumerPerformance, rate |'
  )
  console.log('| --- | --- | --- | --- | --- | --- | --- |')
  for (const line of rows) console.log(line)
}

function row(workload: Workload, runs: ReadonlyMap<Name, readonly Run[]>): string {
  const [ours, hand, java] = names.map(name => runs.get(name)!) as [readonly Run[], readonly Run[], readonly Run[]]
  const told = (of: readonly Run[]) =>
    `${whole(spread(of.map(rate)).median)} (${spread(of.map(perMillion)).median.toFixed(2)})`
  const ratio = (others: readonly Run[], value: (run: Run) => number) => {
    const { median, min, max } = spread(ours.map((run, round) => value(run) / value(others[round]!)))
    return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`
  }
  const cells = [
    workload.name,
    told(ours),
    told(hand),
    told(java),
    ratio(hand, rate),
    ratio(hand, perMillion),
    ratio(java, rate)
  ]
  return `| ${cells.join(' | ')} |`
}

await main()
