// The whole line with five patterns on a top-level key of nested JSON of 1 KB, one record in ten passing, beside the same
// topic unfiltered: how fast the input is worked off. See docs/performance.md.
//   node bench/filter-line.ts [--records 600000] [--rounds 3] [--broker kafka|embedded] [--profile DIR]
import { mkdir } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { fill, openBroker } from './bench-broker.ts'
import type { BrokerKind } from './bench-broker.ts'
import { FunctionProcess } from './function-process.ts'
import { machine } from './machine.ts'
import { cpuSeconds } from './process-cost.ts'
import { spread } from './report.ts'
import { openMillrace } from './subjects.ts'
import { inFlight, partitions } from './workloads.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '600000' },
    rounds: { type: 'string', default: '3' },
    broker: { type: 'string' },
    profile: { type: 'string' }
  }
})
const topic = 'filtered'
const [valueBytes, batchSize, passing] = [1_024, 1_000, 10]
const step = partitions * batchSize * passing
const records = Math.ceil(Number(values.records) / step) * step

/** Each takes its part of the one in ten. */
const patterns = ['cancelled', 'returned', 'refused', 'expired', 'lost'].map(status =>
  JSON.stringify({ value: { status: [status] } })
)
const refused = ['accepted', 'packed', 'sent', 'delivered']

const say = (text: string): boolean => process.stderr.write(`${text}\n`)

/** Nested JSON of exactly `valueBytes`; the key that decides comes late. */
function order(offset: number): Buffer {
  const passes = offset % passing === 0
  const statuses = ['cancelled', 'returned', 'refused', 'expired', 'lost']
  const status = passes ? statuses[(offset / passing) % 5] : refused[offset % 4]
  const line = (at: number) => ({
    sku: `SKU-${offset % 977}-${at}`,
    quantity: at,
    price: { amount: 1999, currency: 'EUR' }
  })
  const fields = {
    id: `order-${String(offset).padStart(9, '0')}`,
    customer: {
      id: 100_000 + (offset % 7_919),
      name: 'Anna Mueller',
      address: { street: 'Lindenstrasse 5', city: 'Berlin', zip: '10969', geo: { lat: 52.5, lon: 13.4 } },
      tags: ['returning', 'newsletter', 'beta']
    },
    lines: [line(1), line(2), line(3)],
    payment: { method: 'card', brand: 'visa', authorised: true, code: null },
    status,
    note: ''
  }
  const missing = valueBytes - Buffer.byteLength(JSON.stringify(fields))
  return Buffer.from(JSON.stringify({ ...fields, note: 'x'.repeat(missing) }))
}

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  if (values.profile !== undefined) await mkdir(values.profile, { recursive: true })
  await using broker = await openBroker(values.broker as BrokerKind | undefined, records * valueBytes)
  const orders = Array.from({ length: 400 }, (_, offset) => order(offset))
  say(`filling ${topic} with ${records} records (${broker.kind})`)
  const value = (offset: number) => orders[offset % orders.length]!
  await fill(broker.bootstrap, { topic, partitions, valueBytes, records, value })
  await using double = new FunctionProcess()
  await double.start()
  const { bootstrap } = broker
  const job = { bootstrap, topic, url: double.url, batchSize, inFlight, recordsPerPartition: records / partitions }
  const once = async (filtered: boolean) => {
    const Filters = filtered ? patterns.map(Pattern => ({ Pattern })) : []
    const mapping = filtered ? { FilterCriteria: { Filters } } : {}
    await using subject = await openMillrace(job, { mapping, profileDir: filtered ? values.profile : undefined })
    const every = filtered ? passing : 1
    await double.expect({ pid: subject.pid, topic, partitions, valueBytes, records: records / every, every })
    void subject.ended.then(() => double.giveUp())
    await subject.go()
    const { seconds, cost, faults, requests } = await double.measured(45_000)
    if (faults.length > 0) throw new Error(`the run is void: ${faults.join('; ')}`)
    const perSecond = records / seconds
    const perMillion = cost === undefined ? NaN : (cpuSeconds(cost) * 1e6) / records
    say(
      `${filtered ? 'filtered' : 'unfiltered'}: ${Math.round(perSecond)} records/s of input, ` +
        `${perMillion.toFixed(2)} CPU s per million, ${requests} calls (load ${loadavg()[0]!.toFixed(1)})`
    )
    return { perSecond, perMillion }
  }
  await once(false)
  const pairs: { filtered: Awaited<ReturnType<typeof once>>; plain: Awaited<ReturnType<typeof once>> }[] = []
  for (let round = 0; round < Number(values.rounds); round++) {
    // A B B A: what drifts falls on both.
    if (round % 2 === 0) {
      const plain = await once(false)
      pairs.push({ plain, filtered: await once(true) })
    } else {
      const filtered = await once(true)
      pairs.push({ filtered, plain: await once(false) })
    }
  }
  const ratio = (of: 'perSecond' | 'perMillion') => spread(pairs.map(({ filtered, plain }) => filtered[of] / plain[of]))
  console.log(
    JSON.stringify({
      ...machine(),
      broker: broker.kind,
      records,
      filtered: Math.round(spread(pairs.map(({ filtered }) => filtered.perSecond)).median),
      unfiltered: Math.round(spread(pairs.map(({ plain }) => plain.perSecond)).median),
      rateRatio: ratio('perSecond'),
      cpuRatio: ratio('perMillion')
    })
  )
}

await main()
