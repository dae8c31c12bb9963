import { promises as dns } from 'node:dns'
import { isIP } from 'node:net'
import { connect } from 'node:tls'
import type { DetailedPeerCertificate, SecureContext, TLSSocket } from 'node:tls'
import type { AddressGuard } from '../../core/net/address-guard.ts'
import { AddressRefused } from '../../core/net/guarded-lookup.ts'
import type { BrokerAddress } from './cluster.ts'
import { BrokerUnreachable } from './problems.ts'
import { openTransport } from './transport.ts'

/** What a broker shows of itself in the handshake, whether it is believed or not. */
export interface ShownCertificate {
  readonly subject: string
  /** From the broker's own to the last that it sent. */
  readonly chain: readonly string[]
  /** Names and addresses that it may be called by. */
  readonly names: readonly string[]
  /** Epoch milliseconds: the first of the chain to expire. */
  readonly validToMs: number
}

/** Addresses of a broker's name. Rejects with BrokerUnreachable at stage DNS, or TCP for one that must not be reached. */
export async function resolveBroker({ host, port }: BrokerAddress, guard: AddressGuard): Promise<readonly string[]> {
  const address = `${host}:${port}`
  let found: readonly string[]
  try {
    found = isIP(host) === 0 ? (await dns.lookup(host, { all: true })).map(each => each.address) : [host]
  } catch (error) {
    throw new BrokerUnreachable(address, (error as Error).message, { stage: 'DNS', kind: 'unresolvable', cause: error })
  }
  for (const each of found) {
    const range = guard.refusal(each)
    if (range === undefined) continue
    const refused = new AddressRefused(host, each, range)
    throw new BrokerUnreachable(address, refused.message, { stage: 'DNS', cause: refused })
  }
  return found
}

/** Connects, with TLS where there is a context, and hangs up. Rejects with BrokerUnreachable that says where it ended. */
export function reachBroker(
  { host, port }: BrokerAddress,
  guard: AddressGuard,
  signal: AbortSignal,
  context?: SecureContext
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const scratch = Buffer.alloc(1024)
  const transport = openTransport(
    { host, port, guard, ...(context === undefined ? {} : { tls: { context } }) },
    { target: () => scratch, arrived: () => undefined, opened: resolve, broke: reject }
  )
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  return promise.finally(() => transport.destroy())
}

/** Looks at a broker's certificate without believing it. Undefined when there is none to be seen. Ask `reachBroker` before. */
export function lookAtCertificate(
  { host, port }: BrokerAddress,
  context: SecureContext,
  signal: AbortSignal
): Promise<ShownCertificate | undefined> {
  const { promise, resolve } = Promise.withResolvers<ShownCertificate | undefined>()
  const socket = connect({
    host,
    port,
    secureContext: context,
    // Nothing is sent: a certificate that is not believed is what is to be looked at.
    rejectUnauthorized: false,
    servername: isIP(host) === 0 ? host : ''
  })
  const end = () => resolve(undefined)
  socket.once('secureConnect', () => resolve(shownBy(socket)))
  socket.on('error', end)
  socket.on('close', end)
  signal.addEventListener('abort', end, { once: true })
  return promise.finally(() => socket.destroy())
}

function shownBy(socket: TLSSocket): ShownCertificate | undefined {
  const first: Partial<DetailedPeerCertificate> = socket.getPeerCertificate(true)
  if (first.subject === undefined) return undefined
  const chain: DetailedPeerCertificate[] = []
  for (let each = first as DetailedPeerCertificate | undefined; each !== undefined && !chain.includes(each);) {
    chain.push(each)
    // A root names itself as its issuer.
    each = each.issuerCertificate as DetailedPeerCertificate | undefined
  }
  return {
    subject: subjectOf(chain[0]!),
    chain: chain.map(subjectOf),
    names: (first.subjectaltname ?? '').split(', ').flatMap(name => (name === '' ? [] : [name.replace(/^[^:]*:/, '')])),
    validToMs: Math.min(...chain.map(({ valid_to: validTo }) => Date.parse(validTo)))
  }
}

const subjectOf = ({ subject }: DetailedPeerCertificate): string =>
  Object.entries(subject)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(', ')
