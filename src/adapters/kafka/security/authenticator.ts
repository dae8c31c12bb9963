import * as kafka from '@platformatic/kafka'
import { MillraceError } from '../../../core/errors.ts'
import type { Clock } from '../../../ports/clock.ts'
import type { ClusterSecrets, ClusterSecurity } from '../../../ports/cluster-security.ts'
import type { Log } from '../../../ports/log.ts'
import type { LoginTurns } from '../../../ports/login-turns.ts'
import { call, newestShared } from '../apis.ts'
import type { ApiFamily, OfferedVersions } from '../apis.ts'
import { AuthenticationRefused, BrokerUnreachable, errorCode, errorName } from '../problems.ts'
import type { Wire } from '../wire.ts'
import { credentialsFor, oidcFingerprint } from './credentials.ts'
import type { Credentials } from './credentials.ts'
import { inTime } from './in-time.ts'
import { SaslRefusal } from './sasl-dialogue.ts'
import { secretProblem } from './secret-problem.ts'
import { TurnTaker } from './turn-taker.ts'

/** While credentials cannot be had for a connection that lives, they are asked for again this often. */
const retryMs = 3000
/** A renewal waits for what is under way: a poll of a mapping that has nothing to do is answered after five seconds. */
const longestAnswerMs = 7000
/** Brokers refuse a second proof within a second. */
const soonestMs = 1100

export interface AuthenticatorOptions {
  /** Names it among others: what one cluster refuses another may take. */
  readonly cluster: string
  readonly security: ClusterSecurity
  /** For each answer, and for the credentials. */
  readonly timeoutMs: number
}

export interface AuthenticatorDeps {
  readonly clock: Clock
  readonly log?: Log | undefined
  readonly secrets: ClusterSecrets
  readonly logins: LoginTurns
}

/** A broker's connection with what it said it speaks. */
export interface OpenBroker {
  readonly host: string
  readonly wire: Wire
  readonly offered: OfferedVersions
}

type SaslAnswer = Awaited<ReturnType<typeof kafka.saslAuthenticateV2.api.async>>

const handshake = kafka.saslHandshakeV1.api
const exchanges: ApiFamily<[Buffer], SaslAnswer> = {
  name: 'saslAuthenticate',
  key: kafka.saslAuthenticateV2.api.key,
  codecs: new Map<number, kafka.API<[Buffer], SaslAnswer>>([
    [2, kafka.saslAuthenticateV2.api],
    [1, kafka.saslAuthenticateV1.api],
    [0, kafka.saslAuthenticateV0.api]
  ])
}

/**
 * Proves who we are by SASL: when a connection is new, and again on the living one before the broker ends its session
 * (KIP-368), with requests in flight going on. What fails then is a connection to make anew.
 */
export class Authenticator {
  readonly #cluster: string
  readonly #security: ClusterSecurity
  readonly #timeoutMs: number
  readonly #deps: AuthenticatorDeps
  readonly #logins: TurnTaker
  readonly #tokens: TurnTaker

  constructor({ cluster, security, timeoutMs }: AuthenticatorOptions, deps: AuthenticatorDeps) {
    this.#cluster = cluster
    this.#security = security
    this.#timeoutMs = timeoutMs
    this.#deps = deps
    this.#logins = new TurnTaker(deps.logins)
    this.#tokens = new TurnTaker(deps.logins)
  }

  /** Rejects with AuthenticationRefused, or BrokerUnreachable that says which secret cannot be had. */
  async authenticate(broker: OpenBroker): Promise<void> {
    const credentials = await this.#credentials(broker)
    const lifetimeMs = await this.#prove(broker, credentials)
    this.#renewIn(broker, lifetimeMs)
  }

  async #credentials({ host, wire }: OpenBroker): Promise<Credentials> {
    const { secrets, clock } = this.#deps
    try {
      const token = this.#security.oidc === undefined ? undefined : await this.#token(wire.address)
      return await inTime(clock, this.#timeoutMs, credentialsFor(host, this.#security, { secrets, clock, token }))
    } catch (error) {
      throw error instanceof BrokerUnreachable ? error : secretProblem(wire.address, error as Error)
    }
  }

  /** A token endpoint is asked in turn as well: it counts wrong clients, and may be down for all who ask it. */
  async #token(address: string): Promise<string> {
    const { secrets, clock } = this.#deps
    for (;;) {
      const taken = await this.#tokens.take({
        key: oidcFingerprint(this.#security.oidc),
        run: () => inTime(clock, this.#timeoutMs, secrets.token(this.#security)),
        refusalOf: error =>
          error instanceof MillraceError && error.code === 'MILL_TOKEN_REFUSED'
            ? { broker: address, reason: error.message }
            : undefined,
        failure: ({ reason }, cause) =>
          new BrokerUnreachable(address, reason, { kind: 'authentication', stage: 'secret', cause })
      })
      if (taken !== undefined) return taken.result.value
    }
  }

  #prove(broker: OpenBroker, first: Credentials): Promise<number> {
    const { wire } = broker
    return wire.alone(async () => {
      // Who waited for a pause to end looks whether the credentials have been exchanged meanwhile.
      for (let credentials = first; ; credentials = await this.#credentials(broker)) {
        const { fingerprint, reference } = credentials
        const taken = await this.#logins.take({
          key: `${fingerprint} ${this.#cluster}`,
          run: () => this.#converse(broker, credentials),
          refusalOf: error =>
            error instanceof AuthenticationRefused ? { broker: error.broker, reason: error.reason } : undefined,
          failure: ({ broker, reason }, cause) => {
            if (reference !== undefined) this.#deps.secrets.refused(reference)
            return new AuthenticationRefused(broker, reason, { cause })
          }
        })
        if (taken !== undefined) return taken.result
      }
    })
  }

  /** Resolves to how long the broker believes it, in milliseconds; 0: for as long as the connection lives. */
  async #converse({ wire, offered }: OpenBroker, { dialogue }: Credentials): Promise<number> {
    try {
      await this.#choose(wire)
      const exchange = newestShared(exchanges, offered)
      let lifetimeMs = 0
      for (let step = await dialogue.next(); step.done !== true;) {
        const { errorCode: code, ...answer } = await call(wire, exchange, [step.value], this.#timeoutMs)
        if (code === errorCode.none) step = await dialogue.next(answer.authBytes)
        else step = await dialogue.throw(new SaslRefusal(refusalText(code, answer.errorMessage)))
        lifetimeMs = Number(answer.sessionLifetimeMs ?? 0n)
      }
      return lifetimeMs
    } catch (error) {
      if (error instanceof SaslRefusal) throw new AuthenticationRefused(wire.address, error.message, { cause: error })
      if (error instanceof BrokerUnreachable && error.stage === undefined)
        throw new BrokerUnreachable(wire.address, error.reason, { stage: 'SASL', cause: error })
      throw error
    }
  }

  async #choose(wire: Wire): Promise<void> {
    const { mechanism = '' } = this.#security
    const { errorCode: code, mechanisms } = await call(wire, handshake, [mechanism], this.#timeoutMs)
    if (code === errorCode.none) return
    if (code === errorCode.unsupportedSaslMechanism)
      throw new SaslRefusal(`the broker does not take ${mechanism} here, but ${mechanisms.join(', ')}`)
    if (code === errorCode.illegalSaslState)
      throw new SaslRefusal(`the broker does not authenticate here by SASL (${errorName(code)})`)
    throw new SaslRefusal(refusalText(code))
  }

  /** Some time before the broker's deadline, and not all connections at once. */
  #renewIn(broker: OpenBroker, lifetimeMs: number): void {
    if (!(lifetimeMs > 0)) return
    const latestMs = Math.max(soonestMs, lifetimeMs / 2, lifetimeMs - longestAnswerMs)
    this.#later(broker, Math.min(lifetimeMs * (0.8 + 0.1 * this.#deps.clock.chance()), latestMs))
  }

  #later(broker: OpenBroker, delayMs: number): void {
    const cancel = this.#deps.clock.after(delayMs, () => void this.#renew(broker))
    void broker.wire.ended.then(cancel)
  }

  async #renew(broker: OpenBroker): Promise<void> {
    const { wire } = broker
    if (wire.broken) return
    const { log } = this.#deps
    let credentials: Credentials
    try {
      credentials = await this.#credentials(broker)
    } catch (error) {
      // Whoever issues them is down: the connection serves until the broker ends it.
      log?.warn({ error: (error as Error).message }, 'cannot renew the authentication of a connection yet')
      return this.#later(broker, retryMs)
    }
    try {
      this.#renewIn(broker, await this.#prove(broker, credentials))
    } catch (error) {
      log?.warn(
        { error: (error as Error).message },
        'the broker did not take a renewed authentication: connecting anew'
      )
      wire.close('its authentication could not be renewed')
    }
  }
}

const refusalText = (code: number, message: string | null = null): string =>
  message === null || message === '' ? errorName(code) : `${message} (${errorName(code)})`
