import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { TlsOptions } from 'node:tls'
import { Reader, Writer } from '@platformatic/kafka'

/** What the broker says to one message of SASL. */
export interface SaslReply {
  readonly bytes?: Buffer | string
  /** 58 refuses. */
  readonly errorCode?: number
  readonly errorMessage?: string
  /** The exchange is over: who speaks is believed for so long. */
  readonly lifetimeMs?: number
}

export interface SaslBrokerOptions {
  readonly tls?: TlsOptions
  readonly mechanisms?: readonly string[]
  /** Default: believes everything at once, for as long as the connection lives. */
  readonly authenticate?: (message: Buffer, mechanism: string) => SaslReply
  /** How long any other request takes. Default 0. */
  readonly workMs?: number
  /** A broker without a door, which answers all other requests. */
  readonly upstream?: Upstream
}

export interface Upstream {
  /** Asked at the first request. */
  readonly port: () => number
  /** Keys and versions of its APIs. */
  readonly offered: readonly (readonly [key: number, min: number, max: number])[]
}

const api = { versions: 18, handshake: 17, authenticate: 36, echo: 9999 } as const
const unsupportedMechanism = 33

/**
 * The front door of a broker: TLS, ApiVersions, SASL. Behind it any other request is answered with its own payload, in
 * order. Like Kafka it takes nothing but SASL between handshake and end of authentication.
 */
export class SaslBroker {
  readonly #server: Server
  readonly #options: SaslBrokerOptions
  readonly #sockets = new Set<Socket>()
  connections = 0
  handshakes = 0
  /** Exchanges that came to their end. */
  authentications = 0
  /** Requests that came when only SASL may. */
  violations = 0
  echoes = 0
  /** Names of the `sni` extension, and `none`. */
  readonly serverNames: string[] = []

  static async open(options: SaslBrokerOptions = {}): Promise<SaslBroker> {
    const broker = new SaslBroker(options)
    broker.#server.listen(0, '127.0.0.1')
    await once(broker.#server, 'listening')
    return broker
  }

  private constructor(options: SaslBrokerOptions) {
    this.#options = options
    if (options.tls === undefined) {
      this.#server = createServer(socket => this.#accept(socket))
      return
    }
    this.#server = createTlsServer(options.tls, socket => {
      this.serverNames.push(socket.servername === '' || socket.servername === false ? 'none' : socket.servername!)
      this.#accept(socket)
    })
    this.#server.on('tlsClientError', () => undefined)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #accept(socket: Socket): void {
    this.connections++
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    const session = { mechanism: '', exchanging: false }
    const { upstream } = this.#options
    let onward: Socket | undefined
    const forward = (frame: Buffer) => {
      onward ??= connectOnward(socket, upstream!.port())
      onward.write(frame)
    }
    let bytes = Buffer.alloc(0)
    let turn = Promise.resolve()
    socket.on('data', data => {
      bytes = Buffer.concat([bytes, data])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const request = bytes.subarray(4, 4 + bytes.readInt32BE(0))
        bytes = bytes.subarray(4 + request.length)
        turn = turn.then(() => this.#request(socket, request, session, upstream === undefined ? undefined : forward))
      }
    })
  }

  async #request(
    socket: Socket,
    request: Buffer,
    session: { mechanism: string; exchanging: boolean },
    forward: ((frame: Buffer) => void) | undefined
  ): Promise<void> {
    const reader = Reader.from(Buffer.from(request))
    const apiKey = reader.readInt16()
    reader.readInt16()
    const correlationId = reader.readInt32()
    reader.readNullableString(false)
    const send = (body: Buffer) => {
      const head = Buffer.alloc(8)
      head.writeInt32BE(body.length + 4, 0)
      head.writeInt32BE(correlationId, 4)
      socket.write(Buffer.concat([head, body]))
    }
    if (apiKey === api.versions) return send(versions(this.#options.upstream?.offered ?? []))
    if (apiKey === api.handshake) return send(this.#handshake(reader.readString(false), session))
    if (apiKey === api.authenticate) {
      reader.readTaggedFields()
      return send(this.#authenticate(reader.readBytes(), session))
    }
    if (session.exchanging || (session.mechanism === '' && this.#options.mechanisms !== undefined)) {
      this.violations++
      socket.destroy()
      return
    }
    if (forward !== undefined) return forward(framed(request))
    const { workMs = 0 } = this.#options
    if (workMs > 0) await new Promise(resolve => setTimeout(resolve, workMs))
    this.echoes++
    send(Buffer.from(request.subarray(reader.position)))
  }

  #handshake(mechanism: string, session: { mechanism: string; exchanging: boolean }): Buffer {
    this.handshakes++
    const { mechanisms = [] } = this.#options
    const known = mechanisms.includes(mechanism)
    if (known) Object.assign(session, { mechanism, exchanging: true })
    return Writer.create()
      .appendInt16(known ? 0 : unsupportedMechanism)
      .appendArray([...mechanisms], (w, name) => w.appendString(name, false), false, false).buffer
  }

  #authenticate(message: Buffer, session: { mechanism: string; exchanging: boolean }): Buffer {
    const { authenticate } = this.#options
    const reply: SaslReply = authenticate?.(message, session.mechanism) ?? { lifetimeMs: 0 }
    const { bytes = '', errorCode = 0, errorMessage = null, lifetimeMs } = reply
    if (lifetimeMs !== undefined) {
      session.exchanging = false
      this.authentications++
    }
    return Writer.create()
      .appendTaggedFields()
      .appendInt16(errorCode)
      .appendString(errorMessage)
      .appendBytes(Buffer.from(bytes))
      .appendInt64(BigInt(lifetimeMs ?? 0))
      .appendTaggedFields().buffer
  }
}

function connectOnward(socket: Socket, port: number): Socket {
  const onward = connect(port, '127.0.0.1')
  onward.on('error', () => socket.destroy())
  onward.pipe(socket)
  socket.once('close', () => onward.destroy())
  return onward
}

function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

function versions(more: Upstream['offered']): Buffer {
  const door = [
    [api.versions, 0, 3],
    [api.handshake, 0, 1],
    [api.authenticate, 0, 2]
  ] as const
  const own = new Set<number>(door.map(([key]) => key))
  const offered = [...door, ...more.filter(([key]) => !own.has(key))]
  const w = Writer.create().appendInt16(0)
  w.appendArray([...offered], (w, [key, min, max]) => w.appendInt16(key).appendInt16(min).appendInt16(max))
  return w.appendInt32(0).appendTaggedFields().buffer
}
