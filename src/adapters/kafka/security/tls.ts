import { createSecureContext, getCACertificates } from 'node:tls'
import type { ClientCertificate, ClusterSecrets, ClusterSecurity } from '../../../ports/cluster-security.ts'
import type { TlsTerms } from '../transport.ts'

/** Whom this machine trusts: Node's own list, what NODE_EXTRA_CA_CERTS adds, and the system's. */
let systemTerms: TlsTerms | undefined

/** Makes what TLS needs of the secrets, anew only when they have changed. */
export class TlsSource {
  readonly #security: ClusterSecurity
  readonly #secrets: ClusterSecrets
  #made: { readonly of: string; readonly terms: TlsTerms } | undefined

  constructor(security: ClusterSecurity, secrets: ClusterSecrets) {
    this.#security = security
    this.#secrets = secrets
  }

  /** Rejects with what `ClusterSecrets` says, or with InvalidCertificate. */
  async terms(): Promise<TlsTerms> {
    const { serverRootCa, clientCertificate } = this.#security
    const [root, client] = await Promise.all([
      serverRootCa === undefined ? undefined : this.#secrets.serverRootCa(serverRootCa),
      clientCertificate === undefined ? undefined : this.#secrets.clientCertificate(clientCertificate)
    ])
    if (root === undefined && client === undefined) return (systemTerms ??= termsOf())
    const of = JSON.stringify([root, client])
    if (this.#made?.of !== of) this.#made = { of, terms: termsOf(root, client) }
    return this.#made.terms
  }
}

/** A certificate, a key or an authority that TLS cannot use. */
export class InvalidCertificate extends Error {
  constructor(what: string, cause: Error) {
    const { reason = cause.message } = cause as { reason?: string }
    super(`${what} cannot be used: ${reason}`, { cause })
    this.name = 'InvalidCertificate'
  }
}

function termsOf(root?: string, client?: ClientCertificate): TlsTerms {
  const trusted =
    root === undefined
      ? { ca: [...getCACertificates('default'), ...getCACertificates('system')] }
      : // In place of the public authorities: whoever names their own wants no other. As with Kafka's clients it may be
        // one in the middle of a chain, or the broker's own certificate.
        { ca: root, allowPartialTrustChain: true }
  const shown = client === undefined ? {} : { cert: client.certificatePem, key: client.privateKeyPem }
  try {
    return { context: createSecureContext({ ...trusted, ...shown, minVersion: 'TLSv1.2' }) }
  } catch (error) {
    const what = client === undefined ? 'the root certificate' : 'the client certificate with its key'
    throw new InvalidCertificate(what, error as Error)
  }
}
