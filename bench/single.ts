// Batch size 1, a function that answers at once: calls per second, and per second of the process's CPU ("and core").
//   node bench/single.ts [--records 120000] [--rounds 3] [--inflight 10] [--broker kafka|embedded] [--profile DIR]
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { fill, openBroker } from './bench-broker.ts'
import type { BrokerKind } from './bench-broker.ts'
import { FunctionProcess } from './function-process.ts'
import { machine } from './machine.ts'
import { cpuSeconds } from './process-cost.ts'
import { spread } from './report.ts'
import { openBare, openMillrace } from './subjects.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '120000' },
    rounds: { type: 'string', default: '3' },
    inflight: { type: 'string', default: '10' },
    broker: { type: 'string' },
    profile: { type: 'string' }
  }
})
const [topic, partitions, valueBytes, batchSize] = ['single', 12, 100, 1]
const records = Math.ceil(Number(values.records) / partitions) * partitions
const inFlight = Number(values.inflight)

const say = (text: string): boolean => process.stderr.write(`${text}\n`)

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  await using broker = await openBroker(values.broker as BrokerKind | undefined, records * valueBytes)
  await fill(broker.bootstrap, { topic, partitions, valueBytes, records })
  await using double = new FunctionProcess()
  await double.start()
  const { bootstrap } = broker
  const job = { bootstrap, topic, url: double.url, batchSize, inFlight, recordsPerPartition: records / partitions }
  const once = async (name: 'millrace' | 'bare') => {
    const open = name === 'bare' ? openBare : openMillrace
    await using subject = await open(job, { mapping: { ParallelizationFactor: inFlight }, profileDir: values.profile })
    await double.expect({ pid: subject.pid, topic, partitions, valueBytes, records })
    void subject.ended.then(() => double.giveUp())
    await subject.go()
    const { requests, seconds, cost, faults } = await double.measured(45_000)
    if (faults.length > 0) throw new Error(`the run of ${name} is void: ${faults.join('; ')}`)
    const perSecond = requests / seconds
    const us = (seconds: number | undefined) => (((seconds ?? NaN) * 1e6) / requests).toFixed(1)
    const perCore = cost === undefined ? NaN : requests / cpuSeconds(cost)
    say(
      `${name}: ${Math.round(perSecond)} calls/s, ${Math.round(perCore)} per CPU second, ` +
        `${us(cost?.userSeconds)} µs of user and ${us(cost?.systemSeconds)} µs of system time each (load ${loadavg()[0]!.toFixed(1)})`
    )
    return { perSecond, perCore }
  }
  await once('millrace')
  const [ours, bare]: Awaited<ReturnType<typeof once>>[][] = [[], []]
  for (let round = 0; round < Number(values.rounds); round++) {
    ours!.push(await once('millrace'))
    bare!.push(await once('bare'))
  }
  const told = (runs: readonly { perSecond: number; perCore: number }[]) => ({
    callsPerSecond: Math.round(spread(runs.map(run => run.perSecond)).median),
    callsPerCpuSecond: Math.round(spread(runs.map(run => run.perCore)).median)
  })
  console.log(
    JSON.stringify({ ...machine(), broker: broker.kind, inFlight, millrace: told(ours!), bareLoop: told(bare!) })
  )
}

await main()
