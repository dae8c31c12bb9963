// From append to call: records come at a fixed rate, whatever becomes of them, and each carries when it was due; the
// function tells how much later its call began. Window 0. What a slow producer adds is counted, too.
//   node bench/latency.ts [--rate 10000] [--seconds 15] [--partitions 6] [--broker kafka|embedded]
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Admin } from '@platformatic/kafka'
import { systemClock } from '../src/adapters/host/system-clock.ts'
import { openProducer } from '../src/adapters/kafka/producer.ts'
import type { Producer } from '../src/adapters/kafka/producer.ts'
import { silentLog } from '../src/adapters/log/silent.ts'
import { openBroker } from './bench-broker.ts'
import type { BrokerKind } from './bench-broker.ts'
import { end, forkHere, nextMessage } from './child.ts'
import type { Latencies } from './latency-function.ts'
import { machine } from './machine.ts'
import { costOf, cpuSeconds, difference } from './process-cost.ts'
import { openMillrace } from './subjects.ts'
import { inFlight } from './workloads.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '15' },
    partitions: { type: 'string', default: '6' },
    broker: { type: 'string' }
  }
})
const [rate, seconds, partitions] = [Number(values.rate), Number(values.seconds), Number(values.partitions)]
const [topic, valueBytes, warmSeconds] = ['latency', 100, 8]
/** Records of one tick go out in one request, so that the producer is not what is measured. */
const tickMs = 5
const nowNs = process.hrtime.bigint

async function produce(producer: Producer): Promise<{ sent: number; lateTicks: number; ackMs: number[] }> {
  const perTick = Math.max(1, Math.round((rate * tickMs) / 1000))
  const ticks = Math.round(((seconds + warmSeconds) * 1000) / tickMs)
  const warmTicks = Math.round((warmSeconds * 1000) / tickMs)
  const startNs = nowNs()
  const pending = new Set<Promise<unknown>>()
  const ackMs: number[] = []
  let [sent, lateTicks] = [0, 0]
  for (let tick = 0; tick < ticks; tick++) {
    const dueNs = startNs + BigInt(Math.round(tick * tickMs * 1e6))
    const aheadMs = Number(dueNs - nowNs()) / 1e6
    if (aheadMs > 0.5) await pause(aheadMs)
    else if (aheadMs < -5) lateTicks++
    const counts = tick >= warmTicks
    const value = Buffer.from((counts ? String(dueNs) : '0').padEnd(valueBytes))
    const messages = Array.from({ length: perTick }, (_, index) => ({ partition: index % partitions, value }))
    const sentNs = nowNs()
    const request = producer.send(topic, messages).then(() => {
      if (counts) ackMs.push(Number(nowNs() - sentNs) / 1e6)
      pending.delete(request)
    })
    pending.add(request)
    if (counts) sent += perTick
  }
  await Promise.all(pending)
  return { sent, lateTicks, ackMs }
}

function percentiles(all: readonly number[]): Record<string, number> {
  const sorted = all.toSorted((a, b) => a - b)
  const at = (share: number) => Number((sorted[Math.floor((sorted.length - 1) * share)] ?? NaN).toFixed(2))
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), most: at(1) }
}

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  await using broker = await openBroker(values.broker as BrokerKind | undefined, rate * (seconds + warmSeconds) * 200)
  const admin = new Admin({ clientId: 'bench', bootstrapBrokers: [broker.bootstrap] })
  await admin.createTopics({ topics: [topic], partitions, replicas: 1 })
  await admin.close()
  // Ours: it gathers what comes while a request is under way, so that it keeps up also on a busy machine.
  const cluster = { bootstrapServers: [broker.bootstrap] }
  const producer = openProducer({ cluster, clientId: 'bench' }, { clock: systemClock, log: silentLog })
  const target = forkHere('latency-function.ts')
  const tell = () => {
    const answer = nextMessage<Latencies>(target)
    target.send('tell')
    return answer
  }
  try {
    const { url } = await nextMessage<{ url: string }>(target)
    const { bootstrap } = broker
    const job = { bootstrap, topic, url, batchSize: 1_000, inFlight, recordsPerPartition: 0 }
    await using subject = await openMillrace(job, { mapping: { MaximumBatchingWindowInSeconds: 0 } })
    await subject.go()
    // Until all is there, groups' topics among it.
    do {
      await producer.send(topic, [{ value: Buffer.from('0') }])
      await pause(500)
    } while ((await tell()).calls === 0)
    const before = costOf(subject.pid)
    const { sent, lateTicks, ackMs } = await produce(producer)
    const after = costOf(subject.pid)
    await pause(1_000)
    const { records, calls, ms } = await tell()
    const cpu = before === undefined || after === undefined ? NaN : cpuSeconds(difference(before, after))
    console.log(
      JSON.stringify({
        ...machine(),
        broker: broker.kind,
        rate,
        sent,
        records,
        recordsPerCall: Number(((records * (1 + warmSeconds / seconds)) / calls).toFixed(1)),
        lateTicks,
        percentOfACore: Number(((100 * cpu) / (seconds + warmSeconds)).toFixed(1)),
        producerAckMs: percentiles(ackMs),
        appendToCallMs: percentiles(ms)
      })
    )
    if (records !== sent) process.exitCode = 1
  } finally {
    await producer.close()
    await end(target)
  }
}

await main()
