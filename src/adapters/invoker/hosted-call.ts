import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { clientContextJson } from '../../core/client-context.ts'
import { xrayOf, xrayTrace } from '../../core/trace.ts'
import { LogTail } from './log-tail.ts'
import type { RuntimeFault } from './local-function.ts'

/** Largest event of an invocation, as Lambda's. */
export const maxEventBytes = 6_291_456

const jsonHeader = { 'content-type': 'application/json' } as const
const ranHeaders = { ...jsonHeader, 'x-amz-executed-version': '$LATEST' } as const

/** A call of a local function as it came over HTTP, to be answered exactly once; later answers, or ones nobody waits for, are dropped. */
export class HostedCall {
  readonly requestId: string
  readonly qualifier: string | undefined
  /** As X-Ray writes it; undefined when the caller traces nothing. */
  readonly traceId: string | undefined
  /** JSON in ASCII. */
  readonly clientContext: string | undefined
  /** When the caller stops waiting (epoch ms); undefined when it did not say. */
  readonly deadlineMs: number | undefined
  /** Given when the caller wants the end of the call's log: put into it whatever the call logs. */
  readonly logTail: LogTail | undefined
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #body: Buffer[] | undefined
  #answered = false
  #gone = false

  /** `left`: the caller went away before it was answered. */
  constructor(request: IncomingMessage, response: ServerResponse, left: (call: HostedCall) => void) {
    this.#request = request
    this.#response = response
    const { headers } = request
    const requestId = textOf(headers['x-millrace-request-id'])
    this.requestId = requestId !== undefined && /^[\w-]{1,128}$/.test(requestId) ? requestId : randomUUID()
    this.qualifier = textOf(headers['x-millrace-qualifier'])
    this.traceId = xrayTrace(textOf(headers['x-amzn-trace-id'])) ?? xrayOf(textOf(headers['traceparent']))
    this.clientContext = clientContextJson(textOf(headers['x-amz-client-context']) ?? '')
    const deadlineMs = Number(textOf(headers['x-millrace-deadline-ms']))
    this.deadlineMs = deadlineMs > 0 ? deadlineMs : undefined
    this.logTail = textOf(headers['x-amz-log-type']) === 'Tail' ? new LogTail() : undefined
    response.on('close', () => {
      if (this.#answered) return
      this.#gone = true
      left(this)
    })
  }

  /** Nobody waits for an answer any more, or it was given. */
  get isOver(): boolean {
    return this.#gone || this.#answered
  }

  /** Reads the event once it is wanted: while a call waits, its bytes stay with the caller. `undefined`: there is none to run. */
  readEvent(done: (event: readonly Buffer[] | undefined) => void): void {
    if (this.isOver || this.#body !== undefined) return done(this.isOver ? undefined : this.#body)
    const chunks: Buffer[] = []
    let bytes = 0
    let ended = false
    const end = (event: Buffer[] | undefined) => {
      if (ended) return
      ended = true
      this.#body = event
      done(event)
    }
    this.#request.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength
      if (bytes <= maxEventBytes) chunks.push(chunk)
      else if (!this.#answered) {
        this.tooLarge()
        end(undefined)
      }
    })
    this.#request.on('end', () => end(chunks))
    this.#request.on('close', () => end(undefined))
    this.#request.on('error', () => end(undefined))
  }

  returned(payload: Buffer): void {
    this.#answer(200, { ...ranHeaders, ...this.#logResult() }, payload)
  }

  /** `error`: JSON as the runtime gave it, or a fault of ours. */
  failed(error: Buffer | RuntimeFault): void {
    const payload = Buffer.isBuffer(error) ? error : Buffer.from(JSON.stringify(error))
    this.#answer(200, { ...ranHeaders, 'x-amz-function-error': 'Unhandled', ...this.#logResult() }, payload)
  }

  #logResult(): Readonly<Record<string, string>> {
    return this.logTail === undefined ? {} : { 'x-amz-log-result': this.logTail.toBase64() }
  }

  throttled(): void {
    const said = {
      Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
      Type: 'User',
      message: 'Rate Exceeded: all processes of the function are busy.'
    }
    this.#refuse(429, { ...jsonHeader, 'retry-after': '1' }, JSON.stringify(said))
  }

  tooLarge(): void {
    const message = `Request must be smaller than ${maxEventBytes} bytes for the InvokeFunction operation`
    this.#refuse(413, jsonHeader, JSON.stringify({ Type: 'User', message }))
  }

  unavailable(message: string): void {
    this.#refuse(502, { 'content-type': 'text/plain' }, message)
  }

  forbidden(): void {
    this.#refuse(403, { 'content-type': 'text/plain' }, 'This address serves the pollers of its own process only.')
  }

  /** Whatever of the event is still to come is read and thrown away: a reset could overtake the answer. */
  #refuse(status: number, headers: Readonly<Record<string, string>>, body: string): void {
    this.#answer(status, headers, Buffer.from(body))
    this.#request.resume()
  }

  #answer(status: number, headers: Readonly<Record<string, string>>, body: Buffer): void {
    if (this.isOver) return
    this.#answered = true
    this.#response.writeHead(status, { ...headers, 'content-length': body.byteLength })
    this.#response.end(body)
  }
}

const textOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)
