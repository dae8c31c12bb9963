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

/** Accounts with passwords are locked after too many wrong ones; nobody locks a token. */
const passwordPauseMs = 60_000
const tokenPauseMs = 4000

/** What proves, this once, who we are. */
export interface Credentials {
  readonly dialogue: SaslDialogue
  /** Tells them from others without giving them away. */
  readonly fingerprint: string
  /** After a refusal the next try with the same waits at most this long. */
  readonly longestPauseMs: number
  /** Where they come from, when that holds them itself. */
  readonly reference?: SecretReference
}

/** Asks for them anew: they may have been changed since the last connection. Rejects with what `ClusterSecrets` says. */
export async function credentialsFor(
  host: string,
  security: ClusterSecurity,
  secrets: ClusterSecrets,
  clock: Clock
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
      const token = await tokenFor(security, secrets, clock)
      return { dialogue: oauthBearer(token), fingerprint: 'token', longestPauseMs: tokenPauseMs }
    }
    case 'AWS_MSK_IAM': {
      const iam = named(security.iam, 'iam', mechanism)
      const keys = await secrets.awsKeys(iam)
      const dialogue = mskIam(host, iam.region, keys, new Date(clock.now()), userAgent)
      return { dialogue, fingerprint: keys.accessKeyId, longestPauseMs: tokenPauseMs }
    }
    case undefined:
      throw new Error(`the protocol ${security.protocol} needs a mechanism`)
    default:
      throw new Error(`no credentials for ${mechanism satisfies never}`)
  }
}

async function byPassword(
  { login: reference, mechanism = 'PLAIN' }: ClusterSecurity,
  secrets: ClusterSecrets,
  open: (login: Login) => SaslDialogue
): Promise<Credentials> {
  const from = named(reference, 'login', mechanism)
  const login = await secrets.login(from)
  const fingerprint = createHash('sha256').update(`${login.username}\0${login.password}`).digest('base64')
  return { dialogue: open(login), fingerprint, longestPauseMs: passwordPauseMs, reference: from }
}

/** MSK's is made here; any other is asked for. */
async function tokenFor(security: ClusterSecurity, secrets: ClusterSecrets, clock: Clock): Promise<string> {
  const { iam } = security
  if (iam === undefined) return (await secrets.token(security)).value
  const keys = await secrets.awsKeys(iam)
  return (await mskToken(iam.region, keys, new Date(clock.now()), userAgent)).value
}

function named<Part>(part: Part | undefined, name: string, mechanism: string): Part {
  if (part === undefined) throw new Error(`the mechanism ${mechanism} needs the cluster's "${name}"`)
  return part
}
