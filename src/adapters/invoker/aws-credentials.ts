import type { AssumedRole } from '../../ports/functions.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { systemClock } from '../host/system-clock.ts'
import type { SigningCredentials } from './request-signer.ts'

/** As the AWS SDK's providers give them. */
export interface ProvidedCredentials extends SigningCredentials {
  readonly expiration?: Date
}

/** Asks for credentials anew each time. */
export type CredentialProvider = () => Promise<ProvidedCredentials>

export interface AwsCredentialsOptions {
  readonly clock?: Clock
  readonly log?: Log
  /** Default: the AWS SDK's chain (environment, profile, SSO, web identity, container, instance), and STS for a role. */
  readonly provider?: (role: AssumedRole | undefined, region: string) => Promise<CredentialProvider>
}

/** Asked for anew this long before they run out; AWS has new ones of a role or instance ready five minutes before. */
const refreshAheadMs = 5 * 60_000
/** Not used any more this long before they run out: a request is on its way for a while. */
const marginMs = 10_000
/** Credentials that do not say when they end may be changed where they came from: a file, for one. */
const reviewMs = 15 * 60_000
/** While those there still hold, providers that fail are not asked by every call. */
const pauseMs = 1_000

/** Credentials for AWS, one cache for each role that is assumed; shared by all calls of a thread. */
export class AwsCredentials {
  readonly #options: AwsCredentialsOptions
  readonly #caches = new Map<string, CredentialCache>()

  constructor(options: AwsCredentialsOptions = {}) {
    this.#options = options
  }

  /** `region`: whose STS is asked for the role. */
  of(role: AssumedRole | undefined, region: string): CredentialCache {
    const key = role === undefined ? '' : JSON.stringify([role.roleArn, role.externalId, region])
    let cache = this.#caches.get(key)
    if (cache === undefined) {
      const { provider = sdkProvider, clock = systemClock, log } = this.#options
      cache = new CredentialCache(() => provider(role, region), clock, log)
      this.#caches.set(key, cache)
    }
    return cache
  }
}

/** Credentials kept until shortly before they run out, and asked for anew before that, in the background. */
export class CredentialCache {
  readonly #open: () => Promise<CredentialProvider>
  readonly #clock: Clock
  readonly #log: Log | undefined
  #provider: Promise<CredentialProvider> | undefined
  #kept: ProvidedCredentials | undefined
  #refreshAtMs = 0
  #asking: Promise<ProvidedCredentials> | undefined

  constructor(open: () => Promise<CredentialProvider>, clock: Clock, log: Log | undefined) {
    this.#open = open
    this.#clock = clock
    this.#log = log
  }

  /** At once when there are any that hold; otherwise a promise, which rejects when nobody has any. */
  current(): ProvidedCredentials | Promise<ProvidedCredentials> {
    const now = this.#clock.now()
    const kept = this.#kept
    if (kept === undefined || now >= (kept.expiration?.getTime() ?? Infinity) - marginMs) return this.#ask()
    if (now >= this.#refreshAtMs && this.#asking === undefined) {
      this.#ask().catch((error: unknown) => {
        this.#log?.warn({ error: messageOf(error) }, 'AWS credentials could not be renewed; those there are still hold')
      })
    }
    return kept
  }

  /** Somebody was refused with these: the next call waits for others. Those that came since stay. */
  refused(credentials: SigningCredentials): void {
    if (this.#kept === credentials) this.#kept = undefined
  }

  #ask(): Promise<ProvidedCredentials> {
    return (this.#asking ??= this.#fetch().finally(() => {
      this.#asking = undefined
    }))
  }

  async #fetch(): Promise<ProvidedCredentials> {
    this.#refreshAtMs = this.#clock.now() + pauseMs
    this.#provider ??= this.#open()
    const credentials = await (await this.#provider)()
    const now = this.#clock.now()
    const expiresMs = credentials.expiration?.getTime()
    this.#kept = credentials
    this.#refreshAtMs = Math.max(
      now + pauseMs,
      expiresMs === undefined ? now + reviewMs : Math.min(expiresMs - refreshAheadMs, now + (expiresMs - now) * 0.8)
    )
    return credentials
  }
}

/** Loaded when first needed: most deployments never call AWS. */
async function sdkProvider(role: AssumedRole | undefined, region: string): Promise<CredentialProvider> {
  const { fromNodeProviderChain, fromTemporaryCredentials } = await import('@aws-sdk/credential-providers')
  // A fresh chain for each question: the SDK's own keeps what it has found, and so would never see a changed file.
  const own: CredentialProvider = () =>
    fromNodeProviderChain({ ignoreCache: true })({ callerClientConfig: { region: async () => region } })
  if (role === undefined) return own
  const { roleArn, externalId } = role
  return () =>
    fromTemporaryCredentials({
      masterCredentials: own,
      params: {
        RoleArn: roleArn,
        RoleSessionName: 'millrace',
        ...(externalId === undefined ? {} : { ExternalId: externalId })
      },
      clientConfig: { region }
    })()
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
