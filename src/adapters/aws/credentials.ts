import type { STSClient } from '@aws-sdk/client-sts'
import { MillraceError } from '../../core/errors.ts'
import { awsFailure } from '../../core/source/aws-failure.ts'
import type { AwsCredentials, ExpiringAwsKeys } from '../../ports/aws-credentials.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AwsIdentity } from '../../ports/cluster-security.ts'

interface RoleEntry {
  keys?: ExpiringAwsKeys
  assuming?: Promise<ExpiringAwsKeys>
}

/** Keys are renewed while they are good for this long yet: a token that is signed with them dies with them. */
const renewBeforeMs = 5 * 60_000
/** Of keys that do not expire; longer than `renewBeforeMs`, or none would ever be kept. */
const askAgainMs = 10 * 60_000
/** Nobody waits longer for an answer of AWS's. */
const patienceMs = 10_000

/** AWS's chain of credentials, and roles that are assumed with what it finds. Its clients are loaded when first needed. */
export class AwsCredentialChain implements AwsCredentials {
  readonly #clock: Pick<Clock, 'now'>
  readonly #roles = new Map<string, RoleEntry>()
  readonly #clients = new Map<string, Promise<STSClient>>()

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  keys(identity: AwsIdentity): Promise<ExpiringAwsKeys> {
    return identity.roleArn === undefined ? this.#ownKeys() : this.#roleKeys(identity, identity.roleArn)
  }

  /** Found anew each time, so that a profile or an environment of today counts, not that of the start. */
  async #ownKeys(): Promise<ExpiringAwsKeys> {
    try {
      const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers')
      const found = await within(fromNodeProviderChain({ ignoreCache: true })())
      return this.#plain(found)
    } catch (error) {
      // No cause goes along: an SDK's error holds requests, and who logs it would log them.
      throw new MillraceError('MILL_AWS_CREDENTIALS', [awsFailure(error).text])
    }
  }

  /** The SDK keeps keys without an end for ever; with one it asks again. */
  #plain({ accessKeyId, secretAccessKey, sessionToken, expiration }: FoundKeys): ExpiringAwsKeys {
    return {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      expiration: expiration ?? new Date(this.#clock.now() + askAgainMs)
    }
  }

  async #roleKeys(identity: AwsIdentity, roleArn: string): Promise<ExpiringAwsKeys> {
    const key = `${identity.region} ${roleArn} ${identity.externalId ?? ''}`
    const entry = this.#roles.get(key) ?? {}
    this.#roles.set(key, entry)
    const leftMs = (entry.keys?.expiration.getTime() ?? 0) - this.#clock.now()
    if (entry.keys !== undefined && leftMs > renewBeforeMs) return entry.keys
    entry.assuming ??= this.#assume(identity, roleArn)
      .then(keys => (entry.keys = keys))
      .finally(() => {
        delete entry.assuming
      })
    try {
      return await entry.assuming
    } catch (error) {
      // STS may be away for minutes: what is good still is used to its end.
      if (entry.keys !== undefined && entry.keys.expiration.getTime() > this.#clock.now()) return entry.keys
      throw error
    }
  }

  async #assume({ region, externalId }: AwsIdentity, roleArn: string): Promise<ExpiringAwsKeys> {
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
      return this.#plain({
        accessKeyId: given.AccessKeyId,
        secretAccessKey: given.SecretAccessKey,
        sessionToken: given.SessionToken,
        expiration: given.Expiration
      })
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
          credentials: () => this.#ownKeys(),
          maxAttempts: 2,
          requestHandler: { connectionTimeout: 3_000, requestTimeout: 5_000, throwOnRequestTimeout: true }
        })
    )
    this.#clients.set(region, made)
    return made
  }
}

function roleError(error: unknown, roleArn: string): MillraceError {
  if (error instanceof MillraceError) return new MillraceError('MILL_ROLE_REFUSED', [roleArn, error.message])
  const { kind, text } = awsFailure(error)
  return kind === 'busy' || kind === 'unreachable'
    ? new MillraceError('MILL_AWS_UNREACHABLE', ['STS', `the role ${roleArn}`, text])
    : new MillraceError('MILL_ROLE_REFUSED', [roleArn, text])
}

interface FoundKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly expiration?: Date | undefined
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
