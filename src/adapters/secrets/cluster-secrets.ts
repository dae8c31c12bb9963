import { MillraceError } from '../../core/errors.ts'
import type { AddressGuard } from '../../core/net/address-guard.ts'
import { readClientCertificate, readLogin, readOidcClient, readServerRootCa } from '../../core/secret/content.ts'
import { SecretFault } from '../../core/secret/fault.ts'
import type { AwsCredentials } from '../../ports/aws-credentials.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ClusterSecrets, SecretReference } from '../../ports/cluster-security.ts'
import { readAuthorities, readCertificate } from './certificate.ts'
import type { ReadCertificate } from './certificate.ts'
import { OidcTokens } from './oidc-token.ts'
import { SecretCache } from './secret-cache.ts'
import { SecretTexts } from './secret-text.ts'
import type { SecretText } from './secret-text.ts'

export interface ClusterSecretsDeps {
  readonly aws: AwsCredentials
  readonly clock: Clock
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Refuse keys that AWS refuses. */
  readonly strictAws: boolean
  /** Token endpoints not to connect to. Default: metadata services. */
  readonly guard?: AddressGuard
}

/** What connections of one thread ask for: secrets are read once for all of them, certificates checked once per version. */
export function openClusterSecrets(deps: ClusterSecretsDeps): ClusterSecrets {
  const { aws, clock, strictAws } = deps
  const texts = new SecretTexts(deps)
  const tokens = new OidcTokens(deps.guard)
  const cache = new SecretCache(reference => texts.read(reference), clock)
  const certificates = new Map<string, { readonly text: string; readonly read: ReadCertificate }>()

  const certificateOf = ({ arn }: SecretReference, { text }: SecretText): ReadCertificate => {
    const known = certificates.get(arn)
    if (known?.text === text) return known.read
    const read = readCertificate(readClientCertificate(text), { refusePbes2: strictAws })
    certificates.set(arn, { text, read })
    return read
  }

  const read = async <T>(reference: SecretReference, reader: (secret: SecretText) => T): Promise<T> => {
    const secret = await cache.get(reference)
    try {
      return reader(secret)
    } catch (error) {
      throw contentError(error, secret.name)
    }
  }

  return {
    login: reference => read(reference, ({ text }) => readLogin(text)),
    clientCertificate: reference =>
      read(reference, secret => {
        const { certificatePem, privateKeyPem, checkDates } = certificateOf(reference, secret)
        try {
          checkDates(clock.now())
        } catch (error) {
          // Its successor may be there already.
          cache.refused(reference)
          throw error
        }
        return { certificatePem, privateKeyPem }
      }),
    serverRootCa: reference => read(reference, ({ text }) => readAuthorities(readServerRootCa(text))),
    token: async ({ oidc }) => {
      if (oidc === undefined) throw new Error('a token is asked for, but nothing says from whom')
      const client = await read(oidc.client, ({ text }) => readOidcClient(text))
      try {
        return await tokens.fetch(oidc, client, clock.now())
      } catch (error) {
        // It may have been given another secret.
        cache.refused(oidc.client)
        throw error
      }
    },
    awsKeys: identity => aws.keys(identity),
    refused: reference => {
      cache.refused(reference)
    }
  }
}

function contentError(error: unknown, name: string): unknown {
  if (!(error instanceof SecretFault)) return error
  return new MillraceError(error.part === 'certificate' ? 'MILL_CERTIFICATE_INVALID' : 'MILL_SECRET_INVALID', [
    name,
    error.message
  ])
}
