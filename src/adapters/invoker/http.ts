import { AddressGuard } from '../../core/net/address-guard.ts'
import { traceParent, traceParentOf } from '../../core/trace.ts'
import type { InvokeReply } from '../../core/retry/reply.ts'
import type { Clock } from '../../ports/clock.ts'
import type { HttpTarget } from '../../ports/functions.ts'
import type { Invoker, InvokeRequest } from '../../ports/invoker.ts'
import type { Log } from '../../ports/log.ts'
import { CallPermits } from './call-permits.ts'
import { CallPool } from './call-pool.ts'
import { compressed } from './compressed-event.ts'
import { readHttpReply } from './http-reply.ts'
import { readTlsFiles } from './tls-files.ts'
import { newSpanId } from './span-ids.ts'

export interface InvokerOptions {
  /** Most connections; should be no fewer than the calls in flight. Default 16. */
  readonly connections?: number
  readonly log?: Log
  readonly clock: Clock
  /** Addresses not to connect to. Default: those of metadata services. */
  readonly guard?: AddressGuard
}

const unguarded = new AddressGuard([])

/** Names a function may be called by in logs: the URL's host and port, never its credentials or query. */
export const hostOf = (url: string): string => new URL(url).host

/** Calls a function behind an HTTP endpoint; the rules are in "Functions over HTTP" of the documentation. Throws on a URL that is none. */
export function openHttpInvoker(target: HttpTarget, options: InvokerOptions): Invoker {
  return new HttpInvoker(target, options)
}

class HttpInvoker implements Invoker {
  readonly #target: HttpTarget
  readonly #url: URL
  readonly #options: InvokerOptions
  readonly #clock: Clock
  readonly #permits: CallPermits | undefined
  readonly #path: string
  readonly #headers: readonly string[]
  #pool: CallPool | undefined
  #closed = false

  constructor(target: HttpTarget, options: InvokerOptions) {
    const url = new URL(target.url)
    this.#target = target
    this.#url = url
    this.#options = options
    this.#clock = options.clock
    this.#path = `${url.pathname}${url.search}`
    this.#headers = fixedHeaders(url, target)
    this.#permits = target.permits && new CallPermits(target.permits, this.#clock)
  }

  invoke(event: Uint8Array, request: InvokeRequest): Promise<InvokeReply> {
    if (this.#closed || request.signal.aborted) return Promise.resolve({ kind: 'aborted' })
    let pool: CallPool
    try {
      pool = this.#pool ??= this.#open()
    } catch (error) {
      // A certificate that was there at the start and is not now: it may come back.
      const message = `cannot reach the function at ${this.#url.host}: ${(error as Error).message}`
      return Promise.resolve({ kind: 'unavailable', message })
    }
    if (this.#target.compress === undefined) return this.#permitted(pool, event, request, false)
    return compressed(event).then(body => this.#permitted(pool, body, request, body !== event))
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#pool?.close()
  }

  #open(): CallPool {
    const { host, origin } = this.#url
    const { timeoutMs, http2, tls, isOwn } = this.#target
    const { connections = 16, log, guard } = this.#options
    return new CallPool({
      origin,
      name: host,
      timeoutMs,
      connections,
      http2: http2 ?? false,
      ...(tls === undefined ? {} : { tls: readTlsFiles(tls) }),
      read: answer => readHttpReply(answer, host, this.#clock.now()),
      clock: this.#clock,
      log,
      // A function of our own is on loopback, whatever others may be.
      guard: isOwn === true ? unguarded : guard
    })
  }

  #permitted(pool: CallPool, body: Uint8Array, request: InvokeRequest, isCompressed: boolean): Promise<InvokeReply> {
    if (this.#permits === undefined) return this.#post(pool, body, request, isCompressed)
    const post = () => this.#post(pool, body, request, isCompressed)
    return this.#permits.within(this.#target.timeoutMs, request.signal, post)
  }

  #post(pool: CallPool, body: Uint8Array, request: InvokeRequest, isCompressed: boolean): Promise<InvokeReply> {
    const headers = [...this.#headers, 'x-millrace-request-id', request.requestId]
    headers.push('x-millrace-deadline-ms', String(Math.round(this.#clock.now() + this.#target.timeoutMs)))
    const span = newSpanId()
    const { requestId, trace } = request
    const parent = trace === undefined ? traceParent(requestId, span) : traceParentOf(trace, span)
    if (parent !== undefined) headers.push('traceparent', parent)
    if (trace !== undefined) headers.push('x-amzn-trace-id', trace)
    if (request.clientContext !== undefined) headers.push('x-amz-client-context', request.clientContext)
    if (request.mapping !== undefined) headers.push('x-millrace-mapping', request.mapping)
    if (request.qualifier !== undefined) headers.push('x-millrace-qualifier', request.qualifier)
    if (request.logTail === true) headers.push('x-amz-log-type', 'Tail')
    if (isCompressed) headers.push('content-encoding', 'gzip')
    return pool.post(this.#path, headers, body, request.signal)
  }
}

/** What every call carries. A target's own content-type and authorization stand in for ours. */
function fixedHeaders(url: URL, { headers: own }: HttpTarget): string[] {
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
