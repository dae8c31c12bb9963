import type { InvokeReply } from '../../core/retry/reply.ts'
import type { AwsCredentials, HeldAwsKeys } from '../../ports/aws-credentials.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AwsKeys } from '../../ports/cluster-security.ts'
import type { LambdaTarget } from '../../ports/functions.ts'
import type { Invoker, InvokeRequest } from '../../ports/invoker.ts'
import type { Log } from '../../ports/log.ts'
import { CallPermits } from './call-permits.ts'
import { CallPool } from './call-pool.ts'
import { first, type HttpAnswer } from './http-reply.ts'
import type { InvokerOptions } from './http.ts'
import { readError, readLambdaReply } from './lambda-reply.ts'
import { escaped, RequestSigner } from './request-signer.ts'

export interface LambdaInvokerOptions extends InvokerOptions {
  readonly credentials: AwsCredentials
}

/** Calls a function at AWS Lambda, or at anything that speaks its Invoke (reference 1.12). Throws on an endpoint that is no URL. */
export function openLambdaInvoker(target: LambdaTarget, options: LambdaInvokerOptions): Invoker {
  return new LambdaInvoker(target, options)
}

/** AWS ends connections that rest longer; a handshake for every batch of a quiet topic would cost more than the call. */
const idleMs = 60_000
/** AWS refuses signatures from clocks that are further off than this; from there on its own time is taken. */
const skewLimitMs = 4 * 60_000
const mostPrepared = 100
/** The credentials, not the request, are at fault: others may do. */
const refusals = new Set(['ExpiredTokenException', 'UnrecognizedClientException', 'InvalidClientTokenId'])

/** All that is the same for calls of one qualifier, log and client context. */
interface Prepared {
  /** With the query. */
  readonly path: string
  readonly signer: RequestSigner
  readonly headers: readonly string[]
}

class LambdaInvoker implements Invoker {
  readonly #target: LambdaTarget
  readonly #clock: Clock
  readonly #url: URL
  readonly #credentials: HeldAwsKeys
  readonly #permits: CallPermits | undefined
  readonly #pool: CallPool
  /** By what is signed with it besides the event. A mapping has one. */
  readonly #prepared = new Map<string, Prepared>()
  /** Replies that say the credentials are to blame. */
  readonly #refused = new WeakSet<InvokeReply>()
  readonly #log: Log | undefined
  /** What AWS's clock is ahead of ours. */
  #skewMs = 0

  constructor(target: LambdaTarget, { credentials, connections = 16, log, clock, guard }: LambdaInvokerOptions) {
    this.#target = target
    this.#clock = clock
    this.#log = log
    this.#url = new URL(target.endpoint)
    this.#credentials = credentials.of({ region: target.region, ...target.role })
    this.#permits = target.permits && new CallPermits(target.permits, clock)
    this.#pool = new CallPool({
      origin: this.#url.origin,
      name: this.#url.host,
      timeoutMs: target.timeoutMs,
      connections,
      idleMs,
      read: answer => this.#read(answer),
      clock,
      log,
      guard
    })
  }

  invoke(event: Uint8Array, request: InvokeRequest): Promise<InvokeReply> {
    if (this.#pool.closed || request.signal.aborted) return Promise.resolve({ kind: 'aborted' })
    if (this.#permits === undefined) return this.#authorized(event, request)
    return this.#permits.within(this.#target.timeoutMs, request.signal, () => this.#authorized(event, request))
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  #authorized(event: Uint8Array, request: InvokeRequest): Promise<InvokeReply> {
    if (!this.#target.signed) return this.#post(event, request, undefined)
    const credentials = this.#credentials.current()
    return credentials instanceof Promise
      ? this.#postLater(event, request, credentials)
      : this.#post(event, request, credentials)
  }

  async #postLater(event: Uint8Array, request: InvokeRequest, coming: Promise<AwsKeys>): Promise<InvokeReply> {
    const { promise: cut, resolve } = Promise.withResolvers<'aborted'>()
    const onAbort = () => resolve('aborted')
    request.signal.addEventListener('abort', onAbort)
    try {
      const credentials = await Promise.race([coming, cut])
      return credentials === 'aborted' ? { kind: 'aborted' } : await this.#post(event, request, credentials)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const message = `${this.#target.functionName} cannot be called: ${why}`
      return { kind: 'unavailable', message }
    } finally {
      request.signal.removeEventListener('abort', onAbort)
    }
  }

  async #post(event: Uint8Array, request: InvokeRequest, credentials: AwsKeys | undefined): Promise<InvokeReply> {
    const { path, signer, headers } = this.#prepare(request)
    const signed = credentials && signer.sign(event, credentials, this.#clock.now() + this.#skewMs)
    const all = signed ? [...headers, ...signed] : [...headers]
    // Not signed: whoever carries the request may put its own in.
    if (request.trace !== undefined) all.push('x-amzn-trace-id', request.trace)
    const reply = await this.#pool.post(path, all, event, request.signal)
    if (credentials !== undefined && this.#refused.has(reply)) this.#credentials.refused(credentials)
    return reply
  }

  #prepare({ qualifier = this.#target.qualifier, logTail = false, clientContext }: InvokeRequest): Prepared {
    const key = `${logTail} ${qualifier} ${clientContext ?? ''}`
    let prepared = this.#prepared.get(key)
    if (prepared === undefined) {
      const { functionName, region } = this.#target
      const path = `${basePath(this.#url)}/2015-03-31/functions/${escaped(functionName)}/invocations`
      const query = qualifier === undefined ? '' : `Qualifier=${escaped(qualifier)}`
      const own = {
        'content-type': 'application/json',
        'x-amz-invocation-type': 'RequestResponse',
        'x-amz-log-type': logTail ? 'Tail' : 'None',
        ...(clientContext === undefined ? {} : { 'x-amz-client-context': clientContext })
      }
      prepared = {
        path: query === '' ? path : `${path}?${query}`,
        headers: Object.entries(own).flat(),
        signer: new RequestSigner({
          method: 'POST',
          path,
          query,
          region,
          service: 'lambda',
          // undici sends it by itself.
          headers: { ...own, host: this.#url.host }
        })
      }
      // Qualifiers and contexts of a direct Invoke are the caller's, without end.
      if (this.#prepared.size >= mostPrepared) this.#prepared.clear()
      this.#prepared.set(key, prepared)
    }
    return prepared
  }

  #read(answer: HttpAnswer): InvokeReply {
    const reply = readLambdaReply(answer, this.#target.functionName, this.#clock.now())
    if (answer.status === 403) {
      const { type = '' } = readError(answer)
      if (refusals.has(type)) this.#refused.add(reply)
      this.#correctClock(answer)
    }
    return reply
  }

  /** A refused signature may be one of another time: AWS's answer says what time it is there. */
  #correctClock({ headers }: HttpAnswer): void {
    const skewMs = Date.parse(first(headers['date']) ?? '') - this.#clock.now()
    if (Math.abs(skewMs - this.#skewMs) < skewLimitMs || Number.isNaN(skewMs)) return
    this.#log?.warn(
      { skewSeconds: Math.round(skewMs / 1_000) },
      'the clock differs from that of AWS; requests are signed with the time of AWS'
    )
    this.#skewMs = skewMs
  }
}

/** An endpoint may lie below a path; a slash at its end means nothing. */
export const basePath = (url: URL): string => url.pathname.replace(/\/+$/, '')
