import { lookup } from 'node:dns'
import { connect, isIP } from 'node:net'
import type { NetConnectOpts, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { AddressGuard } from '../../core/net/address-guard.ts'
import { AddressRefused, checkLiteralAddress, guardedLookup } from '../../core/net/guarded-lookup.ts'
import type { ConsumerProblem, ProblemStage } from '../../ports/consumer.ts'
import { BrokerUnreachable } from './problems.ts'

const keepAliveMs = 30_000

/** What the bytes that come are for. */
export interface ByteSink {
  /** Where the next bytes go. */
  target(): Buffer
  /** This many were written to the Buffer that `target` gave last. */
  arrived(size: number): void
  /** Connected, and with TLS the broker has proved its name. Called once, or not at all. */
  opened(): void
  /** Nothing more comes. May be called more than once. */
  broke(error: BrokerUnreachable): void
}

/** Whom to trust and what to prove, read anew by whoever opens the connection. */
export interface TlsTerms {
  readonly context: SecureContext
}

export interface TransportOptions {
  readonly host: string
  readonly port: number
  /** Absent: not encrypted. */
  readonly tls?: TlsTerms
  readonly guard: AddressGuard
}

/** Bytes to a broker and back, encrypted or not. */
export interface Transport {
  /** Where opening it is. */
  readonly stage: ProblemStage
  write(bytes: Buffer): void
  destroy(): void
}

/**
 * Connects. The kernel, and with TLS its decryption, writes straight into the Buffers that the sink names (`onread`): no
 * chunk objects, no concatenation.
 */
export function openTransport(options: TransportOptions, sink: ByteSink): Transport {
  const { host, port, tls, guard } = options
  const address = `${host}:${port}`
  let stage: ProblemStage = isIP(host) === 0 ? 'DNS' : 'TCP'
  let open = false
  const onread = {
    buffer: () => sink.target(),
    callback: (size: number) => {
      sink.arrived(size)
      return true
    }
  }
  const to = { host, port, onread, lookup: guardedLookup(lookup, guard) }
  const socket = tls === undefined ? connect(to as NetConnectOpts) : connectSecurely(to, tls)
  const ready = () => {
    open = true
    sink.opened()
  }
  const failed = (error: Error) => sink.broke(failureOf(address, error, { stage, open, tls: tls !== undefined }))

  socket.on('lookup', (error: Error | null) => {
    if (error === null) stage = 'TCP'
  })
  socket.once('connect', () => {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveMs)
    if (tls === undefined) ready()
    else stage = 'TLS'
  })
  if (tls !== undefined) socket.once('secureConnect', ready)
  socket.on('error', failed)
  socket.on('end', () => {
    const doubt = stage === 'TLS' && !open ? ' in the handshake: does it speak TLS?' : ''
    failed(new Error(`the broker closed the connection${doubt}`))
  })
  socket.on('close', () => failed(new Error('the connection was closed')))
  try {
    checkLiteralAddress(host, guard)
  } catch (error) {
    socket.destroy(error as Error)
  }
  return {
    get stage() {
      return stage
    },
    write: bytes => void socket.write(bytes),
    destroy: () => void socket.destroy()
  }
}

interface SocketTarget {
  readonly host: string
  readonly port: number
}

function connectSecurely(to: SocketTarget, { context }: TlsTerms): Socket {
  return connectTls({
    ...to,
    secureContext: context,
    // Whatever NODE_TLS_REJECT_UNAUTHORIZED says.
    rejectUnauthorized: true,
    // A name is sent along for brokers behind one address; an address is none (RFC 6066). Both are verified.
    servername: isIP(to.host) === 0 ? to.host : ''
  })
}

interface Progress {
  readonly stage: ProblemStage
  readonly open: boolean
  readonly tls: boolean
}

/** What a failure of the socket means. */
function failureOf(address: string, error: Error, { stage, open, tls }: Progress): BrokerUnreachable {
  const reason = reasonOf(error)
  const failure = (kind: ConsumerProblem['kind'], at: ProblemStage) =>
    new BrokerUnreachable(address, reason, { kind, stage: at, cause: error })
  const code = codeOf(error)
  if (error instanceof AddressRefused) return failure('connection', stage)
  // After the handshake too: with TLS 1.3 a broker looks at our certificate when we believe that all is done.
  if (tls && /^ERR_SSL_.*ALERT/.test(code) && !/ALERT_(PROTOCOL_VERSION|UNRECOGNIZED_NAME)$/.test(code))
    return failure('client-refused', 'TLS')
  if (open) return new BrokerUnreachable(address, reason, { cause: error })
  if (stage === 'DNS') return failure('unresolvable', 'DNS')
  return failure(stage === 'TLS' && untrusted.has(code) ? 'server-untrusted' : 'connection', stage)
}

/** Node's codes for a certificate that does not prove who the broker is. */
const untrusted: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_CHAIN_TOO_LONG',
  'ERROR_IN_CERT_NOT_BEFORE_FIELD',
  'ERROR_IN_CERT_NOT_AFTER_FIELD',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'HOSTNAME_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID'
])

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

/** OpenSSL's own texts begin with the id of a thread, so that they differ each time; its reason does not. */
function reasonOf(error: Error): string {
  const { reason } = error as { reason?: unknown }
  if (typeof reason === 'string' && codeOf(error).startsWith('ERR_SSL_')) return reason
  // Several addresses of one name were tried.
  if (error instanceof AggregateError) return error.errors.map(each => (each as Error).message).join(', ')
  return error.message
}
