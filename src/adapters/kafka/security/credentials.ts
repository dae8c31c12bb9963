import { createHash } from 'node:crypto'
import type { Clock } from '../../../ports/clock.ts'
import type { ClusterSecrets, ClusterSecurity, Login, SecretReference } from '../../../ports/cluster-security.ts'
import { mskToken } from './msk-token.ts'
import type { SaslDialogue } from './sasl-dialogue.ts'
import { mskIam } from './sasl-msk-iam.ts'
import { oauthBearer } from './sasl-oauthbearer.ts'
import { plain } from './sasl-plain.ts'
import { scram } from './sasl-scram.ts'

const userAgent = 'millrace/1'

/** What proves, this once, who we are. */
export interface Credentials {
  readonly dialogue: SaslDialogue
  /** Tells them from others without giving them away: of what is kept, not of the token that was made with it this once. */
  readonly fingerprint: string
  /** Where they come from, when that holds them itself. */
  readonly reference?: SecretReference
}

export interface CredentialsDeps {
  readonly secrets: ClusterSecrets
  readonly clock: Clock
  /** Of the OpenID token endpoint, if the cluster has one. */
  readonly token: string | undefined
}

/** Asks for them anew: they may have been changed since the last connection. Rejects with what `deps` reject with. */
export async function credentialsFor(
  host: string,
  security: ClusterSecurity,
  { secrets, clock, token }: CredentialsDeps
): Promise<Credentials> {
  const { mechanism } = security
  switch (mechanism) {
    case 'SCRAM-SHA-256':
      return byPassword(security, secrets, login => scram('sha256', login))
    case 'SCRAM-SHA-512':
      return byPassword(security, secrets, login => scram('sha512', login))
    case 'PLAIN':
      return byPassword(security, secrets, plain)
    case 'OAUTHBEARER': {
      const { iam, oidc } = security
      // MSK's is made here; any other is asked for.
      if (iam === undefined)
        return {
          dialogue: oauthBearer(named(token, 'oidc', mechanism), oidc?.extensions),
          fingerprint: oidcFingerprint(oidc)
        }
      const keys = await secrets.awsKeys(iam)
      const { value } = await mskToken(iam.region, keys, new Date(clock.now()), userAgent)
      return { dialogue: oauthBearer(value), fingerprint: fingerprintOf('msk', iam.region, keys.accessKeyId) }
    }
    case 'AWS_MSK_IAM': {
      const iam = named(security.iam, 'iam', mechanism)
      const keys = await secrets.awsKeys(iam)
      const dialogue = mskIam(host, iam.region, keys, new Date(clock.now()), userAgent)
      return { dialogue, fingerprint: fingerprintOf(mechanism, iam.region, keys.accessKeyId) }
    }
    case undefined:
      throw new Error(`the protocol ${security.protocol} needs a mechanism`)
    default:
      throw new Error(`no credentials for ${mechanism satisfies never}`)
  }
}

/** Of whoever asks the token endpoint for the same. */
export const oidcFingerprint = (oidc: ClusterSecurity['oidc']): string => fingerprintOf('oidc', JSON.stringify(oidc))

async function byPassword(
  { login: reference, mechanism = 'PLAIN' }: ClusterSecurity,
  secrets: ClusterSecrets,
  open: (login: Login) => SaslDialogue
): Promise<Credentials> {
  const from = named(reference, 'login', mechanism)
  const login = await secrets.login(from)
  const fingerprint = fingerprintOf(mechanism, login.username, login.password)
  return { dialogue: open(login), fingerprint, reference: from }
}

const fingerprintOf = (...parts: readonly (string | undefined)[]): string =>
  createHash('sha256').update(parts.join('\0')).digest('base64')

function named<Part>(part: Part | undefined, name: string, mechanism: string): Part {
  if (part === undefined) throw new Error(`the mechanism ${mechanism} needs the cluster's "${name}"`)
  return part
}
