import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Seen } from './account.ts'

interface KafkaEvent {
  readonly records: Readonly<Record<string, readonly { partition: number; offset: number; value: string }[]>>
}

/** The function of the demo, behind HTTP: it takes `aws:kafka` events, and fails one call on purpose. */
export class OrdersFunction {
  readonly #note: (seen: Seen) => void
  readonly #failAt: number
  readonly #server: Server
  calls = 0
  failures = 0

  /** Fails its call number `failAt`, before it has looked at a record of it. */
  constructor(note: (seen: Seen) => void, failAt: number) {
    this.#note = note
    this.#failAt = failAt
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
    if (this.calls === this.#failAt) {
      this.failures++
      response.setHeader('x-amz-function-error', 'Unhandled')
      response.end(JSON.stringify({ errorType: 'Error', errorMessage: 'failing once, on purpose' }))
      return
    }
    const event = JSON.parse(Buffer.concat(chunks).toString()) as KafkaEvent
    for (const records of Object.values(event.records)) {
      for (const { partition, offset, value } of records) {
        this.#note({ partition, offset, value: Buffer.from(value, 'base64').toString() })
      }
    }
    response.end()
  }
}
