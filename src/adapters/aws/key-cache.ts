import type { ExpiringAwsKeys, HeldAwsKeys } from '../../ports/aws-credentials.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AwsKeys } from '../../ports/cluster-security.ts'
import type { Log } from '../../ports/log.ts'

/** As the SDK's providers and STS give them. */
export interface FoundKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly expiration?: Date | undefined
}

/** Asked for anew this long before they run out; AWS has new ones of a role or instance ready five minutes before. */
const renewBeforeMs = 5 * 60_000
/** Not used any more this long before they run out: a request is on its way for a while. */
const marginMs = 10_000
/**
 * Keys that do not say when they end may be changed where they came from: in a file, for one. Longer than `renewBeforeMs`, or
 * AWS's clients would keep none.
 */
const reviewMs = 10 * 60_000
/** While those there still hold, whoever fails to give new ones is not asked by every call. */
const pauseMs = 1_000

/** The keys of one identity: found once for all who ask at a time, kept while they hold, renewed before they end. */
export class KeyCache implements HeldAwsKeys {
  readonly #find: () => Promise<FoundKeys>
  readonly #clock: Pick<Clock, 'now'>
  readonly #log: Log | undefined
  #kept: ExpiringAwsKeys | undefined
  /** Infinite where they do not say. */
  #endsAtMs = 0
  #renewAtMs = 0
  #finding: Promise<ExpiringAwsKeys> | undefined

  constructor(find: () => Promise<FoundKeys>, clock: Pick<Clock, 'now'>, log?: Log) {
    this.#find = find
    this.#clock = clock
    this.#log = log
  }

  current(): ExpiringAwsKeys | Promise<ExpiringAwsKeys> {
    const now = this.#clock.now()
    const kept = this.#kept
    if (kept === undefined || now >= this.#endsAtMs - marginMs) return this.#renew()
    if (now >= this.#renewAtMs && this.#finding === undefined) {
      this.#renew().catch((error: unknown) => {
        const text = error instanceof Error ? error.message : String(error)
        this.#log?.warn({ error: text }, 'AWS credentials could not be renewed; those there are still hold')
      })
    }
    return kept
  }

  /** Such as are good for minutes yet. */
  async lasting(): Promise<ExpiringAwsKeys> {
    const leftMs = this.#endsAtMs - this.#clock.now()
    if (this.#kept !== undefined && leftMs > renewBeforeMs && leftMs < Infinity) return this.#kept
    try {
      return await this.#renew()
    } catch (error) {
      // STS may be away for minutes: what is good still is used to its end.
      const isGood = this.#endsAtMs > this.#clock.now() && this.#endsAtMs < Infinity
      if (this.#kept !== undefined && isGood) return this.#kept
      throw error
    }
  }

  /** Those that came since stay. */
  refused(keys: AwsKeys): void {
    if (this.#kept === keys) this.#kept = undefined
  }

  #renew(): Promise<ExpiringAwsKeys> {
    return (this.#finding ??= this.#findNow().finally(() => {
      this.#finding = undefined
    }))
  }

  async #findNow(): Promise<ExpiringAwsKeys> {
    this.#renewAtMs = this.#clock.now() + pauseMs
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await this.#find()
    const now = this.#clock.now()
    const lifeMs = expiration === undefined ? Infinity : expiration.getTime() - now
    this.#endsAtMs = now + lifeMs
    this.#renewAtMs =
      now + (lifeMs === Infinity ? reviewMs : Math.max(pauseMs, Math.min(lifeMs - renewBeforeMs, lifeMs * 0.8)))
    this.#kept = {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      // AWS's clients keep keys without an end for ever.
      expiration: expiration ?? new Date(now + reviewMs)
    }
    return this.#kept
  }
}
