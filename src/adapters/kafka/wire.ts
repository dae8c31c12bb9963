import { Writer } from '@platformatic/kafka'
import { AddressGuard } from '../../core/net/address-guard.ts'
import type { Clock } from '../../ports/clock.ts'
import { BrokerUnreachable, MalformedResponse } from './problems.ts'
import { Cursor } from './cursor.ts'
import type { BufferPool, Lease } from './buffer-pool.ts'
import { openTransport } from './transport.ts'
import type { TlsTerms, Transport } from './transport.ts'

/** A frame that claims more is not Kafka, or a broker gone mad: refused before anything is allocated. */
const largestFrameBytes = 256 << 20
/** Reads for a body with more left than this go straight into it; the rest passes through `scratch`. */
const directReadBytes = 16 << 10
/** What a TLS server says to bytes that are none of TLS begins like this: an alert record. */
const tlsAlert = 0x1503
const saslApis: ReadonlySet<number> = new Set([17, 36])
const metadataGuard = new AddressGuard()

// One for all connections of a thread: a read is handed over in the same turn in which the kernel filled it.
const scratch = Buffer.allocUnsafeSlow(64 << 10)

export interface WireOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly connectTimeoutMs: number
  /** Absent: not encrypted. */
  readonly tls?: TlsTerms
}

export interface WireDeps {
  readonly clock: Clock
  readonly pool: BufferPool
  /** Addresses not to connect to. Default: those of metadata services. */
  readonly guard?: AddressGuard
}

/** A request as it goes out, without its header. */
export interface WireRequest {
  readonly apiKey: number
  readonly apiVersion: number
  readonly payload: Writer
  /** Header v2 and v1 instead of v1 and v0: the API version is a flexible one. */
  readonly taggedRequest: boolean
  readonly taggedResponse: boolean
  readonly timeoutMs: number
  /** The answer lands in a pooled Buffer and its lease is the result's: for fetches. */
  readonly pooled: boolean
}

interface Waiting {
  readonly correlationId: number
  readonly request: WireRequest
  readonly settle: (error: Error | undefined, lease?: Lease) => void
}

/**
 * One connection to one broker. Kafka answers in order, one request at a time. A large answer is written straight
 * into its Buffer by the transport: no chunk objects, no concatenation, no copy.
 *
 * open    requests go out, answers come in                                 → alone, broken
 * alone   it authenticates: SASL's requests go out, others wait for the end → open, broken
 * broken  every waiting request has been rejected; final
 */
export class Wire {
  readonly address: string
  /** Resolves when it is broken. */
  readonly ended: Promise<void>
  readonly #transport: Transport
  readonly #clientId: string
  readonly #clock: Clock
  readonly #pool: BufferPool
  readonly #waiting: Waiting[] = []
  readonly #end: () => void
  #held: Waiting[] | undefined
  /** Told when nothing waits for its answer. */
  #idle: () => void = () => undefined
  readonly #length = Buffer.alloc(4)
  #lengthAt = 0
  #body: Lease | undefined
  #bodyAt = 0
  #correlationId = 0
  #broken: Error | undefined

  /** Rejects with BrokerUnreachable that says where it ended. */
  static async open(options: WireOptions, deps: WireDeps): Promise<Wire> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const wire = new Wire(options, deps, resolve)
    const cancel = deps.clock.after(options.connectTimeoutMs, () => {
      const { stage } = wire.#transport
      const reason = `no connection within ${options.connectTimeoutMs} ms`
      wire.#break(
        new BrokerUnreachable(wire.address, reason, { stage, kind: stage === 'DNS' ? 'unresolvable' : 'connection' })
      )
    })
    await Promise.race([promise, wire.ended])
    cancel()
    if (wire.#broken) throw wire.#broken
    return wire
  }

  private constructor(options: WireOptions, deps: WireDeps, opened: () => void) {
    const { host, port, clientId, tls } = options
    this.address = `${host}:${port}`
    this.#clientId = clientId
    this.#clock = deps.clock
    this.#pool = deps.pool
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = resolve
    this.#transport = openTransport(
      { host, port, guard: deps.guard ?? metadataGuard, ...(tls === undefined ? {} : { tls }) },
      {
        target: () => this.#target(),
        arrived: size => this.#arrived(size),
        opened,
        broke: error => this.#break(error)
      }
    )
  }

  get broken(): boolean {
    return this.#broken !== undefined
  }

  /** Requests that wait for their answer. */
  get pending(): number {
    return this.#waiting.length + (this.#held?.length ?? 0)
  }

  /**
   * Resolves to the response's body behind its header. The caller owns the lease.
   * Rejects with BrokerUnreachable when the connection breaks or no answer comes in time (which breaks it).
   */
  request(request: WireRequest): Promise<{ lease: Lease; body: Buffer }> {
    if (this.#broken) return Promise.reject(this.#broken)
    const correlationId = (this.#correlationId = (this.#correlationId + 1) & 0x7fffffff)
    const { promise, resolve, reject } = Promise.withResolvers<{ lease: Lease; body: Buffer }>()
    const cancel = this.#clock.after(request.timeoutMs, () =>
      this.#break(new BrokerUnreachable(this.address, `no answer within ${request.timeoutMs} ms`))
    )
    const settle = (error: Error | undefined, lease?: Lease) => {
      cancel()
      if (lease === undefined) return reject(error ?? new Error('no answer'))
      try {
        resolve({ lease, body: bodyOf(lease.bytes, correlationId, request.taggedResponse) })
      } catch (malformed) {
        lease.release()
        const failure = malformed as Error
        reject(failure)
        this.#break(failure)
      }
    }
    const waiting = { correlationId, request, settle }
    if (this.#held === undefined || saslApis.has(request.apiKey)) this.#send(waiting)
    else this.#held.push(waiting)
    return promise
  }

  /**
   * Runs `talk` when everything that was sent has been answered, which only SASL's requests may then use: between its
   * handshake and its end a broker takes no others. They wait.
   */
  async alone<Result>(talk: () => Promise<Result>): Promise<Result> {
    this.#held = []
    try {
      if (this.#waiting.length > 0) await new Promise<void>(resolve => (this.#idle = resolve))
      return await talk()
    } finally {
      const held = this.#held
      this.#held = undefined
      for (const waiting of held) this.#send(waiting)
    }
  }

  /** Rejects what waits and closes. Safe twice. */
  close(reason = 'the connection was closed here'): void {
    this.#break(new BrokerUnreachable(this.address, reason))
  }

  #send(waiting: Waiting): void {
    if (this.#broken) return
    this.#waiting.push(waiting)
    this.#transport.write(this.#frame(waiting.request, waiting.correlationId))
  }

  #frame(request: WireRequest, correlationId: number): Buffer {
    const frame = Writer.create()
      .appendInt16(request.apiKey)
      .appendInt16(request.apiVersion)
      .appendInt32(correlationId)
      .appendString(this.#clientId, false)
    if (request.taggedRequest) frame.appendTaggedFields()
    return frame.appendFrom(request.payload).prependLength().buffer
  }

  #target(): Buffer {
    return this.#readsDirectly() ? this.#body!.bytes.subarray(this.#bodyAt) : scratch
  }

  #readsDirectly(): boolean {
    return this.#body !== undefined && this.#body.bytes.length - this.#bodyAt > directReadBytes
  }

  /** The state has not changed since `#target` chose where the bytes went. */
  #arrived(size: number): void {
    if (this.#broken) return
    if (this.#readsDirectly()) {
      this.#bodyAt += size
      if (this.#bodyAt === this.#body!.bytes.length) this.#finish()
      return
    }
    for (let at = 0; at < size && !this.#broken;) at = this.#consume(at, size)
  }

  #consume(from: number, size: number): number {
    if (this.#body === undefined) return this.#readLength(from, size)
    const taken = Math.min(size - from, this.#body.bytes.length - this.#bodyAt)
    scratch.copy(this.#body.bytes, this.#bodyAt, from, from + taken)
    this.#bodyAt += taken
    if (this.#bodyAt === this.#body.bytes.length) this.#finish()
    return from + taken
  }

  #readLength(from: number, size: number): number {
    let at = from
    while (this.#lengthAt < 4 && at < size) this.#length[this.#lengthAt++] = scratch[at++]!
    if (this.#lengthAt < 4) return at
    this.#lengthAt = 0
    const length = this.#length.readInt32BE(0)
    const first = this.#waiting[0]
    if (first === undefined) this.#break(new MalformedResponse(`${this.address} sent an answer that nobody asked for`))
    else if (length >>> 16 === tlsAlert)
      this.#break(new BrokerUnreachable(this.address, 'it speaks TLS, and was spoken to without', { stage: 'TLS' }))
    else if (length < 4 || length > largestFrameBytes)
      this.#break(new MalformedResponse(`${this.address} announced a response of ${length} bytes`))
    else {
      this.#body = first.request.pooled ? this.#pool.lease(length) : unpooled(length)
      this.#bodyAt = 0
    }
    return at
  }

  #finish(): void {
    const lease = this.#body!
    this.#body = undefined
    this.#waiting.shift()!.settle(undefined, lease)
    if (this.#waiting.length === 0) this.#idle()
  }

  #break(error: Error): void {
    if (this.#broken) return
    this.#broken = error
    this.#end()
    this.#idle()
    this.#transport.destroy()
    this.#body?.release()
    this.#body = undefined
    for (const waiting of this.#waiting.splice(0)) waiting.settle(error)
    for (const waiting of this.#held?.splice(0) ?? []) waiting.settle(error)
  }
}

/** A Buffer of its own, which the library's parsers may keep views of. */
function unpooled(size: number): Lease {
  return { bytes: Buffer.allocUnsafeSlow(size), heldBytes: size, retain: () => undefined, release: () => undefined }
}

function bodyOf(frame: Buffer, correlationId: number, tagged: boolean): Buffer {
  const answered = frame.readInt32BE(0)
  if (answered !== correlationId)
    throw new MalformedResponse(`a response answers request ${answered} instead of ${correlationId}`)
  if (!tagged) return frame.subarray(4)
  const cursor = new Cursor(frame, 4)
  cursor.tags()
  return frame.subarray(cursor.at)
}
