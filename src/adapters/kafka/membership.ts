import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { ApiFamily } from './apis.ts'
import type { Cluster, WireUse } from './cluster.ts'
import type { CoordinatorFinder } from './coordinator.ts'
import { GroupRefusal } from './group-protocol.ts'
import type { GroupEvents } from './group-protocol.ts'
import { problemOf } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'
import { Revocations } from './revocations.ts'
import { Waiter } from './waiter.ts'

/** The longest that leaving the group may take. */
export const leaveTimeoutMs = 3000

export interface MemberOptions {
  readonly groupId: string
  readonly topic: string
  /** Static membership (KIP-345): the name under which it may come back. */
  readonly instanceId: string | null
  readonly sessionTimeoutMs: number
  /** How long the group waits for a member to give up what goes: its drain included. */
  readonly rebalanceTimeoutMs: number
  /** The revoked partitions of a listener that does not answer within this are taken from it. */
  readonly revokeTimeoutMs: number
  /** A leader looks this often whether partitions were added. */
  readonly metadataMaxAgeMs: number
}

export interface MemberDeps {
  readonly cluster: Cluster
  readonly coordinator: CoordinatorFinder
  readonly clock: Clock
  readonly log: Log
  readonly events: GroupEvents
}

/** What members of both protocols have in common: what they own, for how long they may believe that, how they wait. */
export class Membership {
  readonly owned = new Set<number>()
  readonly revocations: Revocations
  readonly wake: Waiter
  readonly #options: MemberOptions
  readonly #deps: MemberDeps
  /** When that was sent which the coordinator last answered as to a member. */
  confirmedMs = -Infinity
  /** Nothing was heard from the coordinator for a whole session: what is owned may be somebody else's, or may not. */
  unheard = false
  /** From when on the coordinator counts at the latest. */
  #heardMs = -Infinity
  #disarm: () => void = () => undefined

  constructor(options: MemberOptions, deps: MemberDeps) {
    this.#options = options
    this.#deps = deps
    this.wake = new Waiter(deps.clock)
    this.revocations = new Revocations(this.owned, options.revokeTimeoutMs, deps)
  }

  /** Heartbeats are answered at once, or something is wrong. */
  get beatTimeoutMs(): number {
    return Math.min(10_000, this.#options.sessionTimeoutMs / 3)
  }

  /** The coordinator has answered what was sent then; it expects to hear from us every `intervalMs`. */
  heard(sentMs: number, intervalMs = 0): void {
    this.confirmedMs = this.#heardMs = sentMs
    this.unheard = false
    const sessionMs = Math.max(this.#options.sessionTimeoutMs, 3 * intervalMs)
    this.arm(sessionMs - (this.#deps.clock.monotonicMs() - sentMs))
  }

  /** It has answered the join that was sent then, and counts from its answer; whoever leads may take a rebalance to assign. */
  welcomed(sentMs: number): void {
    this.confirmedMs = sentMs
    this.#heardMs = this.#deps.clock.monotonicMs()
    this.unheard = false
    this.joining()
  }

  /** It has taken us in by answering what was sent then, and counts from its answer. */
  joined(sentMs: number): void {
    this.heard(this.#deps.clock.monotonicMs())
    this.confirmedMs = sentMs
  }

  /**
   * The coordinator starts its own clock when it hears from us: a session that has run out here may have there. Or it is
   * the coordinator that was away, and counts anew: what we have finished meanwhile is ours to commit then.
   */
  arm(remainingMs: number): void {
    this.disarm()
    this.#disarm = this.#deps.clock.after(remainingMs, () => {
      const { cluster, coordinator, log } = this.#deps
      this.unheard = true
      const owned = [...this.owned].sort((a, b) => a - b)
      log.warn({ owned }, 'the coordinator was not heard for a whole session: nothing new is begun until it answers')
      coordinator.forget()
      cluster.drop('group')
      this.wake.wake()
    })
  }

  /**
   * It is about to ask to join: the coordinator may wait for the others first. What counts is when it was last heard, however
   * often it is asked.
   */
  joining(): void {
    if (this.unheard) return
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    this.arm(this.#heardMs + sessionTimeoutMs + rebalanceTimeoutMs - this.#deps.clock.monotonicMs())
  }

  disarm(): void {
    this.#disarm()
  }

  /** Nothing can be committed any more: the coordinator has given the partitions away. */
  lose(reason: string): void {
    const lost = [...this.owned].sort((a, b) => a - b)
    this.owned.clear()
    this.unheard = false
    this.disarm()
    this.#deps.log.warn({ reason, lost }, 'lost the membership of the group')
    if (lost.length > 0) this.#deps.events.lost(lost)
  }

  /** Waits before the next try; the coordinator may have moved meanwhile. */
  async heal(error: unknown, tries: number, doing: string): Promise<void> {
    const { clock, coordinator, log } = this.#deps
    coordinator.forget()
    const told = error instanceof GroupRefusal && error.reaction.kind === 'told'
    this.tell(error, doing)
    log.warn({ error: (error as Error).message, tries }, `cannot ${doing} the group yet`)
    await this.wake.wait(retryDelayMs(tries, clock.chance(), told ? 1000 : 100))
  }

  tell(error: unknown, doing: string): void {
    this.#deps.events.problem(problemOf(error, `${doing} consumer group ${this.#options.groupId}`, 'group'))
  }

  /** Leaves, in bounded time, and cuts what still waits. */
  async end(leave: () => Promise<void>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = this.#deps.clock.after(leaveTimeoutMs, resolve)
    const leaving = leave().catch((error: unknown) => {
      this.#deps.log.warn({ error: (error as Error).message }, 'could not leave the group: the session will run out')
    })
    await Promise.race([leaving, late])
    cancel()
    // A JoinGroup may wait for the others for minutes: its connection is cut.
    this.#deps.cluster.drop('group')
  }

  async call<Request extends unknown[], Response>(
    family: ApiFamily<Request, Response>,
    request: Request,
    timeoutMs: number,
    use: WireUse = 'group'
  ): Promise<Response> {
    const { cluster, coordinator } = this.#deps
    const wire = await coordinator.wire(use)
    return cluster.call(wire, family, request, timeoutMs)
  }
}
