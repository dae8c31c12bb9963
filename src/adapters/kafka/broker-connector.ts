import type { AddressGuard } from '../../core/net/address-guard.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ClusterSecrets, ClusterSecurity } from '../../ports/cluster-security.ts'
import type { Log } from '../../ports/log.ts'
import type { LoginTurns } from '../../ports/login-turns.ts'
import { offeredVersions } from './apis.ts'
import type { OfferedVersions } from './apis.ts'
import type { BufferPool } from './buffer-pool.ts'
import { BrokerUnreachable } from './problems.ts'
import { Authenticator } from './security/authenticator.ts'
import { inTime } from './security/in-time.ts'
import { LoginDesk } from './security/login-desk.ts'
import { secretProblem } from './security/secret-problem.ts'
import { TlsSource } from './security/tls.ts'
import type { TlsTerms } from './transport.ts'
import { Wire } from './wire.ts'

export interface ConnectorSettings {
  /** `host:port`; an IPv6 address in brackets. Together they name the cluster. */
  readonly bootstrapServers: readonly string[]
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  /** Absent: plaintext. */
  readonly security?: ClusterSecurity
}

export interface ConnectorDeps {
  readonly clock: Clock
  readonly pool: BufferPool
  readonly log?: Log
  /** With any security but plaintext. */
  readonly secrets?: ClusterSecrets
  /** Shared by all who may show the same credentials. Default: this connector's own. */
  readonly logins?: LoginTurns
  /** Addresses not to connect to. Default: those of metadata services. */
  readonly guard?: AddressGuard
}

/** Opens connections to the brokers of one cluster, up to where requests may be sent: DNS, TCP, TLS, API versions, SASL. */
export class BrokerConnector {
  readonly #settings: ConnectorSettings
  readonly #deps: ConnectorDeps
  readonly #tls: TlsSource | undefined
  readonly #authenticator: Authenticator | undefined

  constructor(settings: ConnectorSettings, deps: ConnectorDeps) {
    this.#settings = settings
    this.#deps = deps
    const { security, bootstrapServers } = settings
    if (security === undefined || security.protocol === 'PLAINTEXT') return
    const { clock, log, secrets, logins = new LoginDesk(clock) } = deps
    if (secrets === undefined) throw new Error(`the protocol ${security.protocol} needs secrets`)
    const { protocol } = security
    if (protocol === 'SSL' || protocol === 'SASL_SSL') this.#tls = new TlsSource(security, secrets)
    if (protocol === 'SASL_SSL' || protocol === 'SASL_PLAINTEXT') {
      const cluster = [...new Set(bootstrapServers)].sort().join()
      const options = { cluster, security, timeoutMs: this.#answerTimeoutMs }
      this.#authenticator = new Authenticator(options, { clock, log, secrets, logins })
    }
  }

  /** Rejects with BrokerUnreachable that says how far it got and what that means. */
  async open(host: string, port: number): Promise<{ readonly wire: Wire; readonly offered: OfferedVersions }> {
    const { clientId, connectTimeoutMs } = this.#settings
    const tls = await this.#terms(`${host}:${port}`)
    const options = { host, port, clientId, connectTimeoutMs, ...(tls === undefined ? {} : { tls }) }
    let wire: Wire | undefined
    try {
      wire = await Wire.open(options, this.#deps)
      const offered = await this.#versions(wire)
      await this.#authenticator?.authenticate({ host, wire, offered })
      return { wire, offered }
    } catch (error) {
      wire?.close()
      this.#distrust(error)
      throw error
    }
  }

  get #answerTimeoutMs(): number {
    const { connectTimeoutMs, requestTimeoutMs } = this.#settings
    return Math.min(connectTimeoutMs, requestTimeoutMs)
  }

  async #terms(address: string): Promise<TlsTerms | undefined> {
    if (this.#tls === undefined) return undefined
    try {
      return await inTime(this.#deps.clock, this.#answerTimeoutMs, this.#tls.terms())
    } catch (error) {
      throw secretProblem(address, error as Error)
    }
  }

  async #versions(wire: Wire): Promise<OfferedVersions> {
    try {
      return await offeredVersions(wire, this.#answerTimeoutMs)
    } catch (error) {
      throw error instanceof BrokerUnreachable ? this.#unanswered(error) : error
    }
  }

  /** Every broker answers the first question. One that ends the connection instead was spoken to in the wrong way. */
  #unanswered(error: BrokerUnreachable): BrokerUnreachable {
    if (error.stage !== undefined) return error
    const { broker, reason, cause } = error
    const at = (more: string, options: ConstructorParameters<typeof BrokerUnreachable>[2]) =>
      new BrokerUnreachable(broker, reason + more, { ...options, cause: error })
    // Without a cause it was only silent.
    if (cause === undefined) return at('', { stage: 'API versions' })
    if (this.#tls === undefined) return at(' before it answered: does it want TLS?', { stage: 'API versions' })
    // With TLS 1.3 the client believes that the handshake is done when the broker looks at its certificate.
    const more =
      this.#settings.security?.clientCertificate === undefined
        ? ' after the handshake: does it want a client certificate?'
        : ' after the handshake: it may not trust the client certificate'
    return at(more, { stage: 'TLS', kind: 'client-refused' })
  }

  /** What the broker refused, or what refused the broker, may have been exchanged: it is read anew. */
  #distrust(error: unknown): void {
    if (!(error instanceof BrokerUnreachable)) return
    const { clientCertificate, serverRootCa } = this.#settings.security ?? {}
    const refused = { 'client-refused': clientCertificate, 'server-untrusted': serverRootCa }
    const reference = refused[error.kind as keyof typeof refused]
    if (reference !== undefined) this.#deps.secrets?.refused(reference)
  }
}
