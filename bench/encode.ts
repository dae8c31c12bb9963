// The event encoder beside objects and JSON.stringify, in one process, in turns: how many times faster, at equal bytes.
//   node bench/encode.ts [ROUNDS]
import { EventEncoder } from '../src/core/event/encoder.ts'
import { column, type Slice } from '../src/core/record.ts'
import { blockOf, wholeSlice } from '../test/support/blocks.ts'
import { spread } from './report.ts'

const rounds = Number(process.argv[2] ?? 15)
/** As many as one call takes, so that both ways work at their usual size. */
const records = 1_000
/** Encodings to a round: some tens of milliseconds, far above the clock's grain. */
const repeats = 40
const bootstrapServers = '127.0.0.1:9092'

const shapes = [
  { name: '100 B', valueBytes: 100, headers: [] },
  { name: '1 KB', valueBytes: 1_024, headers: [] },
  { name: '100 B, one header of 34 B', valueBytes: 100, headers: [['traceparent', 'x'.repeat(34)]] }
] as const

function block({ valueBytes, headers }: (typeof shapes)[number]): Slice {
  const fields = Array.from({ length: records }, (_, index) => ({
    offset: 1_000_000 + index,
    timestamp: 1_790_000_000_000 + index,
    key: `order-${index}`.padEnd(16, 'x'),
    value: `{"order":${index}`.padEnd(valueBytes, '.'),
    headers
  }))
  return wholeSlice(blockOf(fields, { topic: 'orders', partition: 3 }))
}

/** The usual way, from the same columns. */
function stringified({ block }: Slice, headers: readonly (readonly [string, string])[]): Buffer {
  const { bytes, positions, topic, partition, timestampType } = block
  const list = Array.from({ length: block.count }, (_, record) => {
    const row = record * column.stride
    const field = (start: number, end: number) => bytes.toString('base64', positions[row + start], positions[row + end])
    return {
      topic,
      partition,
      offset: block.offsets[record],
      timestamp: block.timestamps[record],
      timestampType,
      key: field(column.keyStart, column.keyEnd),
      value: field(column.valueStart, column.valueEnd),
      headers: headers.map(([name, value]) => ({ [name]: [...new Int8Array(Buffer.from(value))] }))
    }
  })
  const event = { eventSource: 'SelfManagedKafka', bootstrapServers, records: { [`${topic}-${partition}`]: list } }
  return Buffer.from(JSON.stringify(event))
}

/** CPU nanoseconds a record, of the whole process: a thread's own time advances in ticks of milliseconds on some machines. */
function timed(encode: () => unknown): number {
  const before = process.cpuUsage()
  for (let repeat = 0; repeat < repeats; repeat++) encode()
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / (repeats * records)
}

console.log('| record | encoder: ns | objects + JSON.stringify: ns | times faster (min–max) |')
console.log('| --- | --- | --- | --- |')
for (const shape of shapes) {
  const slice = block(shape)
  const encoder = new EventEncoder({ kind: 'self-managed', bootstrapServers })
  const out = Buffer.allocUnsafeSlow(encoder.capacityFor([slice]))
  const { bytes } = encoder.encode([slice], out)
  if (!out.subarray(0, bytes).equals(stringified(slice, shape.headers))) throw new Error('the two ways differ')
  const pairs = Array.from({ length: rounds + 3 }, () => ({
    ours: timed(() => encoder.encode([slice], out)),
    usual: timed(() => stringified(slice, shape.headers))
  })).slice(3) // the first ones are compiled meanwhile
  const nanoseconds = (values: readonly number[]) => Math.round(spread(values).median)
  const ratio = spread(pairs.map(({ ours, usual }) => usual / ours))
  console.log(
    `| ${shape.name} | ${nanoseconds(pairs.map(({ ours }) => ours))} | ${nanoseconds(pairs.map(({ usual }) => usual))} ` +
      `| ${ratio.median.toFixed(1)} (${ratio.min.toFixed(1)}–${ratio.max.toFixed(1)}) |`
  )
}
