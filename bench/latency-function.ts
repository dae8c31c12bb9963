// The function of bench/latency.ts, in a process of its own: when each record was due, by its value, and when its call came.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Latencies {
  readonly records: number
  readonly calls: number
  /** From when a record was to be sent to the first bytes of its call, in ms. */
  readonly ms: readonly number[]
}

export type FromLatencyFunction = { readonly url: string } | Latencies

/** Of the monotonic clock, which all processes of a machine share. */
const nowNs = process.hrtime.bigint
const ms: number[] = []
let calls = 0

const server = createServer((request, response) => {
  const arrivedNs = nowNs()
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    response.end('{"batchItemFailures":[]}')
    calls++
    const event = JSON.parse(Buffer.concat(chunks).toString('latin1')) as {
      records: Record<string, { value: string }[]>
    }
    for (const { value } of Object.values(event.records).flat()) {
      const dueNs = BigInt(Buffer.from(value, 'base64').toString('latin1', 0, 20).trim())
      // 0: to warm up.
      if (dueNs > 0n) ms.push(Number(arrivedNs - dueNs) / 1e6)
    }
  })
})
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } satisfies FromLatencyFunction)
})
process.on('message', () => process.send?.({ records: ms.length, calls, ms } satisfies FromLatencyFunction))
// Whoever started it has gone.
process.on('disconnect', () => process.exit())
