import { Pool, type Dispatcher } from 'undici'
import type { InvokeReply } from '../../core/retry/reply.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FunctionTarget } from '../../ports/functions.ts'
import type { Invoker, InvokeRequest } from '../../ports/invoker.ts'
import type { Log } from '../../ports/log.ts'
import { answerTooLarge, maxAnswerBytes, readHttpReply } from './http-reply.ts'
import { systemClock } from '../host/system-clock.ts'

export interface HttpInvokerOptions {
  /** Most connections; should be no fewer than the calls in flight. Default 16. */
  readonly connections?: number
  readonly log?: Log
  readonly clock?: Clock
}

/** Names a function may be called by in logs: the URL's host and port, never its credentials or query. */
export const hostOf = (url: string): string => new URL(url).host

/** Calls a function behind an HTTP endpoint; the rules are in "Functions over HTTP" of the documentation. Throws on a URL that is none. */
export function openHttpInvoker(target: FunctionTarget, options: HttpInvokerOptions = {}): Invoker {
  return new HttpInvoker(target, options)
}

class HttpInvoker implements Invoker {
  readonly host: string
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Log | undefined
  readonly calls = new Set<Call>()
  readonly #pool: Pool
  readonly #path: string
  readonly #headers: readonly string[]
  #closed = false

  constructor(target: FunctionTarget, { connections = 16, log, clock = systemClock }: HttpInvokerOptions) {
    const url = new URL(target.url)
    this.host = url.host
    this.timeoutMs = target.timeoutMs
    this.clock = clock
    this.log = log
    this.#path = `${url.pathname}${url.search}`
    this.#headers = fixedHeaders(url, target.headers)
    this.#pool = new Pool(url.origin, {
      connections,
      pipelining: 1,
      // Ours is the only clock of a call: a function may think for 15 minutes before its first byte.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: Math.min(target.timeoutMs, 10_000)
    })
  }

  invoke(event: Uint8Array, request: InvokeRequest): Promise<InvokeReply> {
    if (this.#closed || request.signal.aborted) return Promise.resolve({ kind: 'aborted' })
    return new Promise(resolve => {
      const call = new Call(this, request.signal, resolve)
      const headers = [...this.#headers, 'x-millrace-request-id', request.requestId]
      headers.push('x-millrace-deadline-ms', String(Math.round(this.clock.now() + this.timeoutMs)))
      if (request.mapping !== undefined) headers.push('x-millrace-mapping', request.mapping)
      if (request.qualifier !== undefined) headers.push('x-millrace-qualifier', request.qualifier)
      if (request.logTail === true) headers.push('x-amz-log-type', 'Tail')
      this.#pool.dispatch({ path: this.#path, method: 'POST', headers, body: event }, call)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const call of this.calls) call.handleEvent()
    await this.#pool.destroy()
  }
}

/** One call, as undici's handler and as the listener of the caller's signal: no closure and no promise per chunk. */
class Call implements Dispatcher.DispatchHandler {
  readonly #invoker: HttpInvoker
  readonly #signal: AbortSignal
  readonly #stopTimer: () => void
  #resolve: ((reply: InvokeReply) => void) | undefined
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: Readonly<Record<string, string | string[] | undefined>> = {}
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(invoker: HttpInvoker, signal: AbortSignal, resolve: (reply: InvokeReply) => void) {
    this.#invoker = invoker
    this.#signal = signal
    this.#resolve = resolve
    this.#stopTimer = invoker.clock.after(invoker.timeoutMs, () => this.#late())
    signal.addEventListener('abort', this)
    invoker.calls.add(this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Answered while it waited for a connection. Thrown, not aborted: undici then forgets the request and keeps the connection.
    if (this.#resolve === undefined) throw new Error('the call has ended already')
    this.#controller = controller
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>
  ): void {
    if (status < 200) return // 103 and its like announce, they do not answer
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.byteLength
    if (this.#bytes > maxAnswerBytes) {
      this.#cut({ kind: 'function-error', ...answerTooLarge, payload: Buffer.from(JSON.stringify(answerTooLarge)) })
    } else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const [only] = this.#chunks
    const body = only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks, this.#bytes)
    const answer = { status: this.#status, headers: this.#headers, body }
    this.#settle(readHttpReply(answer, this.#invoker.host, this.#invoker.clock.now()))
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#resolve === undefined) return
    const message = `cannot reach the function at ${this.#invoker.host}: ${explain(error)}`
    this.#invoker.log?.debug({ host: this.#invoker.host, code: codeOf(error) }, message)
    this.#settle({ kind: 'unavailable', message })
  }

  /** The caller's signal has fired, or the invoker closes. */
  handleEvent(): void {
    this.#cut({ kind: 'aborted' })
  }

  #late(): void {
    const { timeoutMs, host } = this.#invoker
    // Nothing was sent, so nothing ran: not the function's failure.
    if (this.#controller === undefined) {
      this.#cut({
        kind: 'unavailable',
        message: `no free connection to the function at ${host} within ${timeoutMs} ms`
      })
    } else this.#cut({ kind: 'timed-out', afterMs: timeoutMs })
  }

  #cut(reply: InvokeReply): void {
    this.#settle(reply)
    // Destroys the connection: what may still come on it belongs to a call that is over.
    this.#controller?.abort(new Error('the call was cut'))
  }

  #settle(reply: InvokeReply): void {
    const resolve = this.#resolve
    if (resolve === undefined) return
    this.#resolve = undefined
    this.#stopTimer()
    this.#signal.removeEventListener('abort', this)
    this.#invoker.calls.delete(this)
    this.#chunks = []
    resolve(reply)
  }
}

/** What every call carries. A target's own content-type and authorization stand in for ours. */
function fixedHeaders(url: URL, own: Readonly<Record<string, string>>): string[] {
  const headers: string[] = []
  const named = new Set(Object.keys(own).map(name => name.toLowerCase()))
  if (!named.has('content-type')) headers.push('content-type', 'application/json')
  if (url.username !== '' && !named.has('authorization')) {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    headers.push('authorization', `Basic ${Buffer.from(pair).toString('base64')}`)
  }
  for (const [name, value] of Object.entries(own)) headers.push(name, value)
  return headers
}

const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset before the answer was complete',
  EPIPE: 'connection closed before the event was sent',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'the host name cannot be looked up at the moment',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'connection timed out',
  UND_ERR_SOCKET: 'connection closed before the answer was complete',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer is not as long as its content-length'
}

/** A cause in the user's terms. Foreign messages are left out where a code says it: they may quote a header. */
function explain(error: Error): string {
  const code = codeOf(error)
  const cause = code === undefined ? undefined : causes[code]
  if (cause !== undefined) return code?.startsWith('UND_') === true ? cause : `${cause} (${code})`
  if (code?.startsWith('HPE_') === true) return `the answer is not HTTP (${code})`
  return code ?? error.message
}

function codeOf(error: Error): string | undefined {
  // Node tries all addresses of a name and gathers the failures; the first stands for all.
  const [inner] = error instanceof AggregateError ? (error.errors as unknown[]) : []
  const { code } = (inner instanceof Error ? inner : error) as NodeJS.ErrnoException
  return code
}
