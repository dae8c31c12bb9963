import type { STSClient } from '@aws-sdk/client-sts'
import { MillraceError } from '../../core/errors.ts'
import { awsFailure } from '../../core/source/aws-failure.ts'
import type { AwsCredentials, ExpiringAwsKeys } from '../../ports/aws-credentials.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AwsIdentity } from '../../ports/cluster-security.ts'
import type { Log } from '../../ports/log.ts'
import { KeyCache, type FoundKeys } from './key-cache.ts'

export interface AwsCredentialChainOptions {
  readonly log?: Log
  /** Finds the keys of the process, anew each time. Default: the AWS SDK's chain (environment, profile, SSO, web identity, container, instance). */
  readonly find?: (region: string) => Promise<FoundKeys>
}

/** Nobody waits longer for an answer of AWS's. */
const patienceMs = 10_000

/**
 * AWS's chain of credentials, and roles that are assumed with what it finds; one for a thread, shared by all that call AWS.
 * Its clients are loaded when first needed: most deployments never call AWS.
 */
export class AwsCredentialChain implements AwsCredentials {
  readonly #clock: Pick<Clock, 'now'>
  readonly #log: Log | undefined
  readonly #find: (region: string) => Promise<FoundKeys>
  readonly #caches = new Map<string, KeyCache>()
  readonly #clients = new Map<string, Promise<STSClient>>()

  constructor(clock: Pick<Clock, 'now'>, { log, find = findOwn }: AwsCredentialChainOptions = {}) {
    this.#clock = clock
    this.#log = log
    this.#find = find
  }

  keys(identity: AwsIdentity): Promise<ExpiringAwsKeys> {
    return this.of(identity).lasting()
  }

  of(identity: AwsIdentity): KeyCache {
    const { region, roleArn, externalId } = identity
    const key = `${region} ${roleArn ?? ''} ${externalId ?? ''}`
    let cache = this.#caches.get(key)
    if (cache === undefined) {
      const find = roleArn === undefined ? () => this.#own(region) : () => this.#assume(identity, roleArn)
      cache = new KeyCache(find, this.#clock, this.#log)
      this.#caches.set(key, cache)
    }
    return cache
  }

  async #own(region: string): Promise<FoundKeys> {
    try {
      return await this.#find(region)
    } catch (error) {
      // No cause goes along: an SDK's error holds requests, and who logs it would log them.
      throw new MillraceError('MILL_AWS_CREDENTIALS', [awsFailure(error).text])
    }
  }

  async #assume({ region, externalId }: AwsIdentity, roleArn: string): Promise<FoundKeys> {
    const client = await this.#client(region)
    const { AssumeRoleCommand } = await import('@aws-sdk/client-sts')
    try {
      const command = new AssumeRoleCommand({
        RoleArn: roleArn,
        RoleSessionName: 'millrace',
        ...(externalId === undefined ? {} : { ExternalId: externalId })
      })
      const { Credentials: given } = await within(
        client.send(command, { abortSignal: AbortSignal.timeout(patienceMs) })
      )
      if (given?.AccessKeyId === undefined || given.SecretAccessKey === undefined)
        throw new Error('the answer holds no credentials')
      return {
        accessKeyId: given.AccessKeyId,
        secretAccessKey: given.SecretAccessKey,
        sessionToken: given.SessionToken,
        expiration: given.Expiration
      }
    } catch (error) {
      throw roleError(error, roleArn)
    }
  }

  #client(region: string): Promise<STSClient> {
    const known = this.#clients.get(region)
    if (known !== undefined) return known
    const made = import('@aws-sdk/client-sts').then(
      ({ STSClient }) =>
        new STSClient({
          region,
          credentials: () => this.keys({ region }),
          maxAttempts: 2,
          requestHandler: { connectionTimeout: 3_000, requestTimeout: 5_000, throwOnRequestTimeout: true }
        })
    )
    this.#clients.set(region, made)
    return made
  }
}

/** A fresh chain for each question: the SDK's own keeps what it has found, and so would never see a changed file. */
async function findOwn(region: string): Promise<FoundKeys> {
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers')
  const chain = fromNodeProviderChain({ ignoreCache: true })
  // A profile may name a role without saying whose STS is to be asked.
  return within(chain({ callerClientConfig: { region: async () => region } }))
}

function roleError(error: unknown, roleArn: string): MillraceError {
  if (error instanceof MillraceError) return new MillraceError('MILL_ROLE_REFUSED', [roleArn, error.message])
  const { kind, text } = awsFailure(error)
  return kind === 'busy' || kind === 'unreachable'
    ? new MillraceError('MILL_AWS_UNREACHABLE', ['STS', `the role ${roleArn}`, text])
    : new MillraceError('MILL_ROLE_REFUSED', [roleArn, text])
}

/** Steps of the chain (a metadata service, a process) have no end of their own that is short enough. */
async function within<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${patienceMs / 1000} s`))
    }, patienceMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
