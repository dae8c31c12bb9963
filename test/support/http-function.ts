import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The event that a Kafka mapping sends, as far as tests look into it. */
export interface KafkaEvent {
  readonly eventSource: string
  readonly eventSourceArn?: string
  readonly bootstrapServers: string
  readonly records: Readonly<
    Record<string, readonly { topic: string; partition: number; offset: number; value: string }[]>
  >
}

export interface SeenRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly value: string
}

/** How one call is answered. */
export type Answer =
  | { readonly kind: 'return' }
  /** As a runtime tells that the function threw. */
  | { readonly kind: 'fail'; readonly errorType: string; readonly errorMessage: string }
  | {
      readonly kind: 'status'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
  /** Bytes that are no HTTP. */
  | { readonly kind: 'garbage' }
  /** Cuts the connection. */
  | { readonly kind: 'break' }

export const returned: Answer = { kind: 'return' }
export const failed: Answer = { kind: 'fail', errorType: 'Error', errorMessage: 'failed on purpose' }
/** For a script that is to hang: the call ends when its caller gives it up. */
export const never = new Promise<Answer>(() => undefined)

export interface FunctionCall {
  /** From 1, in the order in which calls came. */
  readonly number: number
  readonly headers: IncomingHttpHeaders
  readonly event: KafkaEvent
  /** In the order of the event. */
  readonly records: readonly SeenRecord[]
  /** `gone`: the caller left before it was answered. */
  readonly state: 'running' | 'returned' | 'failed' | 'gone'
}

export type Script = (call: FunctionCall) => Answer | Promise<Answer>

/** A function behind HTTP that does as its script says, and keeps every call with its records. */
export class HttpFunction extends EventEmitter<{ began: [FunctionCall]; ended: [FunctionCall] }> {
  readonly calls: FunctionCall[] = []
  /** Asked for each call. Unless changed, all calls succeed at once. */
  script: Script = () => returned
  readonly #server = createServer((request, response) => void this.#take(request, response))
  #port = 0

  static async open(): Promise<HttpFunction> {
    const double = new HttpFunction()
    await double.listen()
    return double
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`
  }

  /** After `close` it listens on its old port again. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Cuts calls that run; connections are refused from here on. Safe twice. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Values of the records in calls that succeeded, by partition, in the order in which they came; twice what came twice. */
  values(topic?: string): Map<number, string[]> {
    const byPartition = new Map<number, string[]>()
    for (const { state, records } of this.calls) {
      if (state !== 'returned') continue
      for (const record of records) {
        if (topic !== undefined && record.topic !== topic) continue
        const values = byPartition.get(record.partition)
        if (values === undefined) byPartition.set(record.partition, [record.value])
        else values.push(record.value)
      }
    }
    return byPartition
  }

  /** How many records came in calls that succeeded; twice what came twice. */
  count(topic?: string): number {
    return [...this.values(topic).values()].reduce((sum, values) => sum + values.length, 0)
  }

  get running(): number {
    return this.calls.filter(call => call.state === 'running').length
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      return // the caller went away in the middle of its event: nothing ran
    }
    const event = JSON.parse(Buffer.concat(chunks).toString()) as KafkaEvent
    const call = new Call(this.calls.length + 1, request.headers, event)
    this.calls.push(call)
    this.emit('began', call)
    const end = (state: Exclude<FunctionCall['state'], 'running'>) => {
      if (call.state !== 'running') return
      call.state = state
      this.emit('ended', call)
    }
    response.once('close', () => end('gone'))
    const answer = await this.script(call)
    if (call.state !== 'running') return
    // Before the answer leaves: nobody can act on it earlier than we know of it.
    end(answer.kind === 'return' ? 'returned' : 'failed')
    send(answer, response)
  }
}

class Call implements FunctionCall {
  readonly number: number
  readonly headers: IncomingHttpHeaders
  readonly event: KafkaEvent
  readonly records: readonly SeenRecord[]
  state: FunctionCall['state'] = 'running'

  constructor(number: number, headers: IncomingHttpHeaders, event: KafkaEvent) {
    this.number = number
    this.headers = headers
    this.event = event
    this.records = Object.values(event.records)
      .flat()
      .map(({ topic, partition, offset, value }) => ({
        topic,
        partition,
        offset,
        value: Buffer.from(value, 'base64').toString()
      }))
  }
}

function send(answer: Answer, response: ServerResponse): void {
  switch (answer.kind) {
    case 'return':
      return void response.end()
    case 'fail': {
      const { errorType, errorMessage } = answer
      response.setHeader('x-amz-function-error', 'Unhandled')
      return void response.end(JSON.stringify({ errorType, errorMessage }))
    }
    case 'status':
      return void response.writeHead(answer.status, answer.headers).end(answer.body)
    case 'garbage':
      return void response.socket?.end('this is no HTTP\r\n\r\n')
    case 'break':
      return void response.destroy()
    default:
      throw new Error(`no way to answer ${JSON.stringify(answer satisfies never)}`)
  }
}
