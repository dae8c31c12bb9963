import { Revocations } from '../../src/adapters/kafka/revocations.ts'
import { difference, heartbeatIntervalMs } from '../../src/adapters/kafka/group-protocol.ts'
import { retryDelayMs } from '../../src/adapters/kafka/retry-delay.ts'
import { Waiter } from '../../src/adapters/kafka/waiter.ts'
import { silentLog } from '../../src/adapters/log/silent.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Broker } from './broker.ts'
import type { GroupAnswer, JoinAnswer } from './group.ts'
import type { Network } from './network.ts'
import type { Life } from './virtual-time.ts'

export interface MemberSettings {
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** A listener that takes longer than this to give partitions up is not waited for. */
  readonly revokeTimeoutMs: number
}

export interface MemberEvents {
  gained(partitions: readonly number[]): void
  revoked(partitions: readonly number[]): Promise<void>
  lost(partitions: readonly number[]): void
}

export interface MemberDeps {
  readonly name: string
  readonly broker: Broker
  readonly network: Network
  readonly life: Life
  readonly clock: Clock
  readonly events: MemberEvents
}

class Refusal extends Error {
  readonly answer: GroupAnswer

  constructor(answer: GroupAnswer) {
    super(answer)
    this.answer = answer
  }
}

const leaveTimeoutMs = 3_000
const eagerIntervalMs = 250

/** The group member of `src/adapters/kafka/member.ts` as its listener and its coordinator see it: same order of events, no wire. */
export class MemberModel {
  readonly #settings: MemberSettings
  readonly #deps: MemberDeps
  readonly #owned = new Set<number>()
  readonly #revocations: Revocations
  readonly #intervalMs: number
  readonly #wake: Waiter
  #memberId = ''
  #generation = -1
  #joining = true
  #leaving = false
  #left = false
  #unheard = false
  #disarmSession: () => void = () => undefined
  /** Rejects when the connection to the coordinator is cut by ourselves. */
  #connection = Promise.withResolvers<never>()

  constructor(settings: MemberSettings, deps: MemberDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#intervalMs = heartbeatIntervalMs(settings.sessionTimeoutMs)
    this.#wake = new Waiter(deps.clock)
    this.#connect()
    const { events } = deps
    this.#revocations = new Revocations(this.#owned, settings.revokeTimeoutMs, {
      clock: deps.clock,
      log: silentLog,
      events: {
        gained: partitions => events.gained(partitions),
        revoked: partitions => events.revoked(partitions),
        lost: partitions => events.lost(partitions),
        problem: () => undefined
      }
    })
  }

  start(): void {
    void this.#run()
  }

  get identity(): { memberId: string; generation: number } | undefined {
    return this.#generation < 0 ? undefined : { memberId: this.#memberId, generation: this.#generation }
  }

  get settling(): boolean {
    return this.#joining
  }

  owns(partition: number): boolean {
    return this.#owned.has(partition)
  }

  get unheard(): boolean {
    return this.#unheard
  }

  suspect(): void {
    this.#wake.wake()
  }

  async stop(): Promise<void> {
    this.#leaving = true
    await this.#revocations.revoke([...this.#owned])
    this.#left = true
    this.#wake.wake()
    this.#disarmSession()
    const { broker, network, life } = this.#deps
    if (this.#memberId !== '') {
      const leave = (reply: (answer: GroupAnswer) => void) => {
        broker.group.leave(this.#memberId)
        reply('fine')
      }
      await network.call(life, leave, leaveTimeoutMs).catch(() => undefined)
    }
    this.#generation = -1
  }

  async #run(): Promise<void> {
    for (let tries = 0; !this.#left; tries++) {
      try {
        await this.#round()
        tries = -1
      } catch (error) {
        if (this.#left) return
        if (error instanceof Refusal && error.answer !== 'rebalance') this.#lose(error.answer === 'stale')
        else if (!(error instanceof Refusal)) await this.#wake.wait(retryDelayMs(tries, this.#deps.clock.chance()))
      }
    }
  }

  async #round(): Promise<void> {
    this.#joining = true
    const joined = await this.#join()
    if (joined.answer !== 'fine') throw new Refusal(joined.answer)
    this.#memberId = joined.memberId
    this.#generation = joined.generation
    this.#joining = false
    this.#heard(this.#settings.sessionTimeoutMs)
    const { gained, gone } = difference(this.#owned, joined.partitions)
    await this.#beatWhile(this.#revocations.pending(gained))
    if (this.#generation < 0) return
    if (gained.length > 0 && !this.#leaving) {
      for (const partition of gained) this.#owned.add(partition)
      this.#deps.events.gained(gained)
    }
    if (gone.length > 0) await this.#beatWhile(this.#revocations.revoke(gone))
    else await this.#beat()
  }

  #join(): Promise<JoinAnswer> {
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#settings
    const { broker, network, life, name } = this.#deps
    const claims = [...this.#owned].sort((a, b) => a - b)
    const [memberId, generation] = [this.#memberId, this.#generation]
    this.#armSession(sessionTimeoutMs + rebalanceTimeoutMs)
    return this.#connected(
      network.call<JoinAnswer>(
        life,
        reply => broker.group.join(name, memberId, claims, generation, reply),
        rebalanceTimeoutMs + 2_000
      )
    )
  }

  #connect(): void {
    this.#connection = Promise.withResolvers<never>()
    this.#connection.promise.catch(() => undefined)
  }

  #connected<T>(answer: Promise<T>): Promise<T> {
    return Promise.race([answer, this.#connection.promise])
  }

  async #beat(): Promise<void> {
    const joinedMs = this.#deps.clock.monotonicMs()
    while (!this.#left) {
      const fresh = this.#deps.clock.monotonicMs() - joinedMs < this.#intervalMs
      await this.#wake.wait(fresh ? Math.min(eagerIntervalMs, this.#intervalMs) : this.#intervalMs)
      if (this.#left || (await this.#heartbeat()) === 'rejoin') return
    }
  }

  async #beatWhile(draining: Promise<void>): Promise<void> {
    const drained = draining.then(() => 'drained' as const)
    for (;;) {
      const outcome = await Promise.race([drained, this.#wake.wait(this.#intervalMs)])
      if (outcome === 'drained') return this.#wake.wake()
      if (!this.#left) await this.#heartbeat()
      else return drained.then(() => undefined)
    }
  }

  async #heartbeat(): Promise<'beat' | 'rejoin'> {
    const { broker, network, life, clock } = this.#deps
    const { sessionTimeoutMs } = this.#settings
    for (let tries = 0; !this.#left; tries++) {
      if (this.#generation < 0) return 'rejoin'
      const [memberId, generation] = [this.#memberId, this.#generation]
      const sentMs = clock.monotonicMs()
      const beat = (reply: (answer: GroupAnswer) => void) => reply(broker.group.heartbeat(memberId, generation))
      const answer = await this.#connected(network.call(life, beat, sessionTimeoutMs / 3)).catch(() => undefined)
      if (answer === 'fine' || answer === 'rebalance') {
        this.#heard(sessionTimeoutMs - (clock.monotonicMs() - sentMs))
        return answer === 'fine' ? 'beat' : 'rejoin'
      }
      if (answer !== undefined) throw new Refusal(answer)
      await this.#wake.wait(retryDelayMs(tries, clock.chance()))
    }
    return 'beat'
  }

  #lose(keepsId: boolean): void {
    const lost = [...this.#owned].sort((a, b) => a - b)
    this.#owned.clear()
    this.#generation = -1
    this.#unheard = false
    if (!keepsId) this.#memberId = ''
    this.#joining = true
    this.#disarmSession()
    if (lost.length > 0) this.#deps.events.lost(lost)
  }

  #heard(remainingMs: number): void {
    this.#unheard = false
    this.#armSession(remainingMs)
  }

  #armSession(remainingMs: number): void {
    this.#disarmSession()
    if (this.#owned.size === 0 && this.#generation < 0) return
    this.#disarmSession = this.#deps.clock.after(remainingMs, () => {
      if (this.#left) return
      this.#unheard = true
      this.#connection.reject(new Error('the session ran out unheard'))
      this.#connect()
      this.#wake.wake()
    })
  }
}
