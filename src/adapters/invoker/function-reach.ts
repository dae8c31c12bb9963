import { lookup } from 'node:dns'
import { connect, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AddressGuard } from '../../core/net/address-guard.ts'
import { checkLiteralAddress, guardedLookup } from '../../core/net/guarded-lookup.ts'
import type { TlsFiles } from '../../ports/functions.ts'
import { readTlsFiles } from './tls-files.ts'

export interface ReachOptions {
  readonly tls?: TlsFiles
  readonly guard?: AddressGuard
  readonly signal: AbortSignal
}

/** Connects to where a function answers, with TLS where its URL says so, and hangs up: the function is not called. Rejects with why not. */
export function reachFunction(url: string, { tls, guard = new AddressGuard(), signal }: ReachOptions): Promise<void> {
  const { hostname, port, protocol } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const isTls = protocol === 'https:'
  checkLiteralAddress(host, guard)
  const to = { host, port: Number(port || (isTls ? 443 : 80)), lookup: guardedLookup(lookup, guard) }
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const material = tls === undefined ? {} : readTlsFiles(tls)
  const socket = isTls
    ? connectTls({ ...to, ...material, servername: isIP(host) === 0 ? host : '' })
    : connect(to as Parameters<typeof connect>[0] & object)
  socket.once(isTls ? 'secureConnect' : 'connect', () => resolve())
  socket.on('error', error => reject(error instanceof AggregateError ? (error.errors[0] as Error) : error))
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  return promise.finally(() => socket.destroy())
}
