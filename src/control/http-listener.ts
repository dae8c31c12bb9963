import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { MillraceError } from '../core/errors.ts'
import { ipAddressBytes, isIpv4Mapped } from '../core/net/ip-address.ts'
import type { Service } from '../ports/service.ts'

export interface ListenAddress {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

export interface HttpListenerOptions {
  readonly listen: ListenAddress
  /** The setting that names the address, for the error when it is taken. */
  readonly setting: 'listen' | 'adminListen'
  /** Default `defaultLimits`. */
  readonly limits?: Partial<HttpLimits>
  /** Must not throw. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void
}

/** What one caller may take of a server that anybody can reach. */
export interface HttpLimits {
  /** Of all headers of a request together. */
  readonly maxHeaderBytes: number
  readonly maxHeaders: number
  /** From the first byte of a request to the last of its headers. */
  readonly headersTimeoutMs: number
  /** The whole request, its body included; the answer may take as long as a function runs. */
  readonly requestTimeoutMs: number
  /** A connection without a request. */
  readonly idleTimeoutMs: number
  /** How often the times are looked at. */
  readonly checkEveryMs: number
  readonly maxConnections: number
  /** Of them, from one address: no caller alone can keep all others out. */
  readonly maxConnectionsPerAddress: number
  readonly maxRequestsPerConnection: number
}

export const defaultLimits: HttpLimits = {
  maxHeaderBytes: 16_384,
  maxHeaders: 100,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  idleTimeoutMs: 30_000,
  checkEveryMs: 5_000,
  maxConnections: 1_024,
  // A pool of an AWS SDK has 50, and all callers of one machine share its address.
  maxConnectionsPerAddress: 512,
  maxRequestsPerConnection: 10_000
}

const defaultGraceMs = 5_000

/**
 * One HTTP server that can start and stop again. start and stop queue up: each sees the end of the one before.
 * `start` rejects with `MILL_LISTEN`.
 */
export class HttpListener implements Service {
  readonly #options: HttpListenerOptions
  #server: Server | undefined
  #turn: Promise<void> = Promise.resolve()
  #stopping = false

  constructor(options: HttpListenerOptions) {
    this.#options = options
  }

  /** The port in use; before start the one that was asked for. */
  get port(): number {
    const address = this.#server?.address()
    return typeof address === 'object' && address !== null ? address.port : this.#options.listen.port
  }

  /** How to reach it from this machine. */
  get url(): string {
    const { host } = this.#options.listen
    const reachable = host === '0.0.0.0' || host === '' ? '127.0.0.1' : host === '::' ? '::1' : host
    return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${this.port}`
  }

  /** True between stop's first word and its last: answers then close their connection. */
  get stopping(): boolean {
    return this.#stopping
  }

  async start(): Promise<void> {
    return this.#next(() => this.#open())
  }

  async stop({ graceMs = defaultGraceMs }: { readonly graceMs?: number } = {}): Promise<void> {
    return this.#next(() => this.#close(graceMs))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.stop({ graceMs: 0 })
  }

  async #next(run: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(run)
    // A start that failed is told to its caller, and holds up nobody after it.
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #open(): Promise<void> {
    if (this.#server !== undefined) return
    const { listen, setting, answer } = this.#options
    const limits = { ...defaultLimits, ...this.#options.limits }
    const server = createServer(
      {
        maxHeaderSize: limits.maxHeaderBytes,
        headersTimeout: limits.headersTimeoutMs,
        requestTimeout: limits.requestTimeoutMs,
        keepAliveTimeout: limits.idleTimeoutMs,
        connectionsCheckingInterval: limits.checkEveryMs,
        keepAlive: true,
        noDelay: true
      },
      answer
    )
    server.maxConnections = limits.maxConnections
    server.maxHeadersCount = limits.maxHeaders
    server.maxRequestsPerSocket = limits.maxRequestsPerConnection
    // Whether the body is wanted is for `answer` to say, once it knows the caller.
    server.on('checkContinue', answer)
    server.on('clientError', refuseGarbage)
    limitByAddress(server, limits.maxConnectionsPerAddress)
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, listen, setting)))
      server.listen(listen.port, listen.host, resolve)
    })
    this.#server = server
  }

  async #close(graceMs: number): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#stopping = true
    const closed = new Promise<void>(resolve => void server.close(() => resolve()))
    const late = setTimeout(() => server.closeAllConnections(), graceMs)
    await closed
    clearTimeout(late)
    this.#server = undefined
    this.#stopping = false
  }
}

/** Connections beyond the limit are closed unanswered, as those beyond the server's own limit. */
function limitByAddress(server: Server, limit: number): void {
  const open = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const address = addressOf(socket)
    const count = (open.get(address) ?? 0) + 1
    if (count > limit) {
      socket.destroy()
      return
    }
    open.set(address, count)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left > 0) open.set(address, left)
      else open.delete(address)
    })
  })
}

/** Of an address of IPv6, that of its network. */
const networkBytes = 8

/** Whoever has one address of IPv6 has all of its network. A connection that has ended already has no address. */
function addressOf({ remoteAddress = '' }: Socket): string {
  const bytes = ipAddressBytes(remoteAddress)
  if (bytes === undefined) return remoteAddress
  return Buffer.from(isIpv4Mapped(bytes) ? bytes : bytes.subarray(0, networkBytes)).toString('hex')
}

function listenError(error: NodeJS.ErrnoException, { host, port }: ListenAddress, setting: string): MillraceError {
  const advice: Record<string, string> = {
    EADDRINUSE: `another program has the port: stop it, or set ${setting} to another port`,
    EADDRNOTAVAIL: `this machine has no such address: set ${setting} to one it has, for example 127.0.0.1:${port}`,
    EACCES: `ports below 1024 need rights of their own: set ${setting} to a higher port`,
    ENOTFOUND: `the host name is not known: set ${setting} to an address of this machine`
  }
  const code = error.code ?? error.message
  const what = advice[code] ?? `${error.message}: set ${setting} to another address`
  return new MillraceError('MILL_LISTEN', [`${host}:${port}`, code, what], { cause: error })
}

/** Far more than a request may have; from there on nobody reads any more. */
const maxDrainBytes = 16 * 1_048_576

/** Reads and throws away what a client still sends, for otherwise it may never see its answer; up to a limit. */
export function drain(request: IncomingMessage): void {
  let left = maxDrainBytes
  request.on('data', (chunk: Buffer) => {
    left -= chunk.byteLength
    if (left < 0) request.destroy()
  })
}

const garbagePatienceMs = 5_000

/** What is no HTTP, or too slow, or too large in its headers, is told so in the form of all other errors. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request'
  const body = JSON.stringify({ message: `Malformed request: ${error.message}` })
  // A client that neither reads nor hangs up must not hold its connection.
  socket.setTimeout(garbagePatienceMs, () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\nx-amzn-errortype: InvalidRequestException\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}
