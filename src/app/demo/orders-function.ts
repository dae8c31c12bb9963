import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Seen } from './account.ts'

interface KafkaEvent {
  readonly records: Readonly<Record<string, readonly { partition: number; offset: number; value: string }[]>>
}

/** What goes wrong on purpose. */
export interface Trouble {
  /** Fails its call number `failAt`, before it has looked at a record of it. */
  readonly failAt: number
  /** Fails whenever it finds this record among others, or alone. */
  readonly poison: { readonly partition: number; readonly offset: number }
}

/** The function of the demo, behind HTTP: it takes `aws:kafka` events, fails one call, and every call with the bad record. */
export class OrdersFunction {
  readonly #note: (seen: Seen) => void
  readonly #trouble: Trouble
  readonly #server: Server
  /** Of the first batch with the bad record: `partition/offset`. */
  #poisoned: Set<string> | undefined
  calls = 0
  failures = 0
  /** Calls after the first with records of that batch: what it costs to find the bad one. */
  callsToIsolate = 0

  constructor(note: (seen: Seen) => void, trouble: Trouble) {
    this.#note = note
    this.#trouble = trouble
    this.#server = createServer((request, response) => {
      void this.#handle(request, response)
    })
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', resolve)
    })
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/orders`
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise(resolve => {
      this.#server.close(() => {
        resolve()
      })
    })
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    this.calls++
    const event = JSON.parse(Buffer.concat(chunks).toString()) as KafkaEvent
    const records = Object.values(event.records).flat()
    const error = this.#errorOf(records)
    if (error === undefined) {
      for (const { partition, offset, value } of records)
        this.#note({ partition, offset, value: Buffer.from(value, 'base64').toString() })
    } else {
      this.failures++
      response.setHeader('x-amz-function-error', 'Unhandled')
    }
    response.end(error === undefined ? '' : JSON.stringify({ errorType: 'Error', errorMessage: error }))
  }

  /** Records in the first batch that held the bad one; 0 before it came. */
  get poisonedRecords(): number {
    return this.#poisoned?.size ?? 0
  }

  #errorOf(records: KafkaEvent['records'][string]): string | undefined {
    const { failAt, poison } = this.#trouble
    const names = records.map(({ partition, offset }) => `${partition}/${offset}`)
    if (names.some(name => this.#poisoned?.has(name))) this.callsToIsolate++
    if (this.calls === failAt) return 'failing once, on purpose'
    if (!names.includes(`${poison.partition}/${poison.offset}`)) return undefined
    this.#poisoned ??= new Set(names)
    return `order ${poison.partition}-${poison.offset} cannot be processed`
  }
}
