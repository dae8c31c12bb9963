import { lookup } from 'node:dns'
import { Pool, type Dispatcher } from 'undici'
import { AddressGuard } from '../../core/net/address-guard.ts'
import { checkLiteralAddress, guardedLookup } from '../../core/net/guarded-lookup.ts'
import type { InvokeReply } from '../../core/retry/reply.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { maxAnswerBytes, readTooLarge, type HttpAnswer } from './http-reply.ts'
import type { TlsMaterial } from './tls-files.ts'

/** No function lives where clouds answer with the machine's credentials; a name that leads there is a trap. */
const metadataGuard = new AddressGuard()

export interface CallPoolOptions {
  /** Scheme, host and port. */
  readonly origin: string
  /** What messages call the function's host: never with credentials or a query. */
  readonly name: string
  /** Of one call, from the moment it asks for a connection. */
  readonly timeoutMs: number
  /** Most connections; should be no fewer than the calls in flight. */
  readonly connections: number
  /** How long a connection without calls is kept when its server does not say. */
  readonly idleMs?: number
  /** Offer HTTP/2 in the TLS handshake. */
  readonly http2?: boolean
  /** Of TLS connections; absent: what Node trusts, and no certificate of our own. */
  readonly tls?: TlsMaterial
  /** Says which reply a whole answer is. */
  readonly read: (answer: HttpAnswer) => InvokeReply
  readonly clock: Clock
  readonly log: Log | undefined
  /** Addresses not to connect to. Default: those of metadata services. */
  readonly guard?: AddressGuard | undefined
}

/** Kept connections to one function's host, and the rules that every call over them follows, whatever it says. */
export class CallPool {
  readonly name: string
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Log | undefined
  readonly read: (answer: HttpAnswer) => InvokeReply
  readonly calls = new Set<Call>()
  readonly #pool: Pool
  /** Why this host is not called at all. */
  readonly #refusal: string | undefined
  #closed = false

  constructor({ origin, connections, idleMs, http2 = false, tls, guard = metadataGuard, ...options }: CallPoolOptions) {
    this.name = options.name
    this.timeoutMs = options.timeoutMs
    this.clock = options.clock
    this.log = options.log
    this.read = options.read
    this.#refusal = refusalOf(new URL(origin).hostname, guard)
    this.#pool = new Pool(origin, {
      connections,
      // One call on a connection, also over HTTP/2: a connection that ends costs one call.
      pipelining: 1,
      allowH2: http2,
      // Ours is the only clock of a call: a function may think for 15 minutes before its first byte.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: Math.min(options.timeoutMs, 10_000),
      ...(idleMs === undefined ? {} : { keepAliveTimeout: idleMs }),
      connect: { ...tls, lookup: guardedLookup(lookup, guard) }
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** `headers`: names and values in turn. Never rejects. */
  post(path: string, headers: string[], body: Uint8Array, signal: AbortSignal): Promise<InvokeReply> {
    if (this.#closed || signal.aborted) return Promise.resolve({ kind: 'aborted' })
    if (this.#refusal !== undefined) return Promise.resolve({ kind: 'unavailable', message: this.#refusal })
    return new Promise(resolve => {
      this.#pool.dispatch({ path, method: 'POST', headers, body }, new Call(this, signal, resolve))
    })
  }

  /** Ends idle connections; calls in flight are aborted. Safe twice. */
  async close(): Promise<void> {
    this.#closed = true
    for (const call of this.calls) call.handleEvent()
    await this.#pool.destroy()
  }
}

function refusalOf(hostname: string, guard: AddressGuard): string | undefined {
  try {
    checkLiteralAddress(hostname.replace(/^\[(.*)\]$/, '$1'), guard)
    return undefined
  } catch (error) {
    return `cannot reach the function: ${(error as Error).message}`
  }
}

/** One call, as undici's handler and as the listener of the caller's signal: no closure and no promise per chunk. */
class Call implements Dispatcher.DispatchHandler {
  readonly #pool: CallPool
  readonly #signal: AbortSignal
  readonly #stopTimer: () => void
  #resolve: ((reply: InvokeReply) => void) | undefined
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: HttpAnswer['headers'] = {}
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(pool: CallPool, signal: AbortSignal, resolve: (reply: InvokeReply) => void) {
    this.#pool = pool
    this.#signal = signal
    this.#resolve = resolve
    this.#stopTimer = pool.clock.after(pool.timeoutMs, () => this.#late())
    signal.addEventListener('abort', this)
    pool.calls.add(this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Answered while it waited for a connection. Thrown, not aborted: undici then forgets the request and keeps the connection.
    if (this.#resolve === undefined) throw new Error('the call has ended already')
    this.#controller = controller
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: HttpAnswer['headers']): void {
    if (status < 200) return // 103 and its like announce, they do not answer
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.byteLength
    if (this.#bytes > maxAnswerBytes) {
      this.#cut(readTooLarge(this.#status, this.#headers))
    } else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const [only] = this.#chunks
    const body = only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks, this.#bytes)
    this.#settle(this.#pool.read({ status: this.#status, headers: this.#headers, body }))
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#resolve === undefined) return
    const message = `cannot reach the function at ${this.#pool.name}: ${explain(error)}`
    this.#pool.log?.debug({ host: this.#pool.name, code: codeOf(error) }, message)
    this.#settle({ kind: 'unavailable', message })
  }

  /** The caller's signal has fired, or the pool closes. */
  handleEvent(): void {
    this.#cut({ kind: 'aborted' })
  }

  #late(): void {
    const { timeoutMs, name } = this.#pool
    // Nothing was sent, so nothing ran: not the function's failure.
    if (this.#controller === undefined) {
      this.#cut({
        kind: 'unavailable',
        message: `no free connection to the function at ${name} within ${timeoutMs} ms`
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
    this.#pool.calls.delete(this)
    this.#chunks = []
    resolve(reply)
  }
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
