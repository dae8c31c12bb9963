import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { apis } from './apis.ts'
import type { ApiFamily } from './apis.ts'
import type { Cluster, WireUse } from './cluster.ts'
import type { CoordinatorFinder } from './coordinator.ts'
import { GroupLeader } from './group-leader.ts'
import { difference, heartbeatIntervalMs, reactTo } from './group-protocol.ts'
import type { GroupEvents, GroupIdentity, GroupProtocol, GroupReaction } from './group-protocol.ts'
import { errorCode, KafkaRefusal, problemOf } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'
import { Revocations } from './revocations.ts'
import { decodeAssignment, encodeSubscription } from './subscription.ts'
import { Waiter } from './waiter.ts'

const protocolType = 'consumer'
const protocolName = 'cooperative-sticky'
/** An answer to a join may come this much later than the rebalance timeout allows the others. */
const joinSlackMs = 10_000
const leaveTimeoutMs = 3000
const eagerIntervalMs = 250

export interface MemberOptions {
  readonly groupId: string
  readonly topic: string
  readonly sessionTimeoutMs: number
  /** How long the group waits for a member to rejoin: its drain included. */
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

/** Thrown inside the loop: an error code of a group request, with what follows from it. */
class GroupRefusal extends KafkaRefusal {
  readonly reaction: GroupReaction

  constructor(code: number, what: string) {
    super(code, what)
    this.reaction = reactTo(code)
  }
}

interface JoinedMember {
  readonly memberId: string
  readonly metadata: Buffer
}

/**
 * A member of a classic group with cooperative rebalances (KIP-429): it goes on with what it keeps while the group
 * rebalances, and gives a partition up only after the listener has finished with it.
 *
 * joining   JoinGroup and SyncGroup; owns what it owned           → stable, draining
 * draining  partitions go: awaits the listener, heartbeats go on  → joining (so that the others get them)
 * stable    heartbeats; a leader watches the partition counts     → joining
 * left      final
 *
 * From any of them it may lose its membership (the coordinator says so, or the session has run out unheard): everything
 * is lost at once, then it joins anew.
 */
export class ClassicMember implements GroupProtocol {
  readonly #options: MemberOptions
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
  #done: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined
  /** While this member leads the group. */
  #leader: GroupLeader | undefined
  #disarmSession: () => void = () => undefined

  constructor(options: MemberOptions, deps: MemberDeps) {
    this.#options = options
    this.#deps = deps
    this.#intervalMs = heartbeatIntervalMs(options.sessionTimeoutMs)
    this.#wake = new Waiter(deps.clock)
    this.#revocations = new Revocations(this.#owned, options.revokeTimeoutMs, deps)
  }

  start(): void {
    this.#done = this.#run()
  }

  get identity(): GroupIdentity | undefined {
    if (this.#generation < 0) return undefined
    const { groupId } = this.#options
    return { groupId, memberId: this.#memberId, generation: this.#generation, instanceId: null }
  }

  get settling(): boolean {
    return this.#joining
  }

  owns(partition: number): boolean {
    return this.#owned.has(partition)
  }

  suspect(): void {
    this.#wake.wake()
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#leaving = true
    await this.#revocations.revoke([...this.#owned])
    this.#left = true
    this.#wake.wake()
    this.#disarmSession()
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = this.#deps.clock.after(leaveTimeoutMs, resolve)
    await Promise.race([this.#leave(), late])
    cancel()
    this.#generation = -1
    // A JoinGroup may wait for the others for minutes: its connection is cut.
    await this.#deps.cluster.drop('group')
  }

  get ended(): Promise<void> {
    return this.#done
  }

  async #run(): Promise<void> {
    for (let tries = 0; !this.#left; tries++) {
      try {
        await this.#round()
        tries = -1
      } catch (error) {
        if (!this.#left) await this.#failed(error, tries)
      }
    }
  }

  /** Joins, takes and gives what the assignment says, and beats until the next rebalance. */
  async #round(): Promise<void> {
    this.#joining = true
    const joined = await this.#join()
    const assigned = await this.#sync(joined)
    this.#joining = false
    this.#heard(this.#deps.clock.monotonicMs())
    this.#deps.events.problem(undefined)
    const { gained, gone } = difference(this.#owned, assigned)
    const { log } = this.#deps
    log.info({ generation: this.#generation, gained, gone, leads: this.#leader !== undefined }, 'joined the group')
    // Lost and won again while the listener still answers for the first time: one call at a time.
    await this.#beatWhile(this.#revocations.pending(gained))
    if (this.#generation < 0) return
    if (!this.#leaving) {
      for (const partition of gained) this.#owned.add(partition)
      this.#deps.events.gained(gained)
    }
    if (gone.length > 0) {
      await this.#beatWhile(this.#revocations.revoke(gone))
      return
    }
    await this.#beat()
  }

  /** Answers whom to give an assignment to: nobody, unless this member leads. */
  async #join(): Promise<readonly JoinedMember[]> {
    const { groupId, topic, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    const owned = [...this.#owned].sort((a, b) => a - b)
    const metadata = encodeSubscription(topic, owned, this.#generation)
    this.#armSession(sessionTimeoutMs + rebalanceTimeoutMs)
    const response = await this.#call(
      apis.joinGroup,
      [
        groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        this.#memberId,
        null,
        protocolType,
        [{ name: protocolName, metadata }],
        null
      ],
      rebalanceTimeoutMs + joinSlackMs
    )
    if (response.errorCode === errorCode.memberIdRequired) {
      this.#memberId = response.memberId ?? ''
      return this.#join()
    }
    this.#check(response.errorCode, `joining group ${groupId}`)
    this.#memberId = response.memberId ?? ''
    this.#generation = response.generationId
    this.#leader = undefined
    if (response.leader !== response.memberId) return []
    const { cluster, clock } = this.#deps
    this.#leader = new GroupLeader(cluster, clock, this.#options.metadataMaxAgeMs)
    return response.members
  }

  async #sync(joined: readonly JoinedMember[]): Promise<number[]> {
    const { groupId, topic, rebalanceTimeoutMs } = this.#options
    const assignments = (await this.#leader?.assign(joined)) ?? []
    const response = await this.#call(
      apis.syncGroup,
      [groupId, this.#generation, this.#memberId, null, protocolType, protocolName, assignments],
      rebalanceTimeoutMs + joinSlackMs
    )
    this.#check(response.errorCode, `syncing with group ${groupId}`)
    return decodeAssignment(response.assignment, topic)
  }

  /** Heartbeats until a rebalance begins, or there is reason to begin one. */
  async #beat(): Promise<void> {
    const joinedMs = this.#deps.clock.monotonicMs()
    while (!this.#left) {
      // A rebalance is soon followed by another, when those who gave partitions up rejoin: till then they stand still.
      const fresh = this.#deps.clock.monotonicMs() - joinedMs < this.#intervalMs
      await this.#wake.wait(fresh ? Math.min(eagerIntervalMs, this.#intervalMs) : this.#intervalMs)
      if (this.#left || (await this.#heartbeat()) === 'rejoin') return
      if (await this.#leader?.partitionsAdded()) {
        this.#deps.log.info({}, 'partitions were added: the group rebalances')
        return
      }
    }
  }

  /** Heartbeats while the listener drains, so that a long drain does not end the session. */
  async #beatWhile(draining: Promise<void>): Promise<void> {
    const drained = draining.then(() => 'drained' as const)
    for (;;) {
      const outcome = await Promise.race([drained, this.#wake.wait(this.#intervalMs)])
      if (outcome === 'drained') return this.#wake.wake() // nobody else ends the wait that lost the race
      if (!this.#left) await this.#heartbeat()
      else return drained.then(() => undefined)
    }
  }

  /** Failures that heal by themselves are retried here for as long as the session lasts. */
  async #heartbeat(): Promise<'beat' | 'rejoin'> {
    const { groupId, sessionTimeoutMs } = this.#options
    const { clock } = this.#deps
    for (let tries = 0; !this.#left; tries++) {
      if (this.#generation < 0) return 'rejoin'
      const request = [groupId, this.#generation, this.#memberId, null] as [string, number, string, null]
      const sentMs = clock.monotonicMs()
      try {
        const response = await this.#call(apis.heartbeat, request, Math.min(10_000, sessionTimeoutMs / 3))
        const reaction = reactTo(response.errorCode)
        if (reaction.kind === 'rejoin' || reaction.kind === 'fine') this.#heard(sentMs)
        if (reaction.kind === 'rejoin') return 'rejoin'
        this.#check(response.errorCode, `beating for group ${groupId}`)
        this.#deps.events.problem(undefined)
        return 'beat'
      } catch (error) {
        if (error instanceof GroupRefusal && error.reaction.kind === 'lost') throw error
        await this.#healing(error, tries, 'stay in')
      }
    }
    return 'beat'
  }

  async #failed(error: unknown, tries: number): Promise<void> {
    const reaction = error instanceof GroupRefusal ? error.reaction : undefined
    if (reaction?.kind === 'lost') this.#lose((error as Error).message, reaction.keepsId)
    else if (reaction?.kind !== 'rejoin') await this.#healing(error, tries, 'join')
  }

  /** Waits before the next try; the coordinator may have moved meanwhile. */
  async #healing(error: unknown, tries: number, doing: string): Promise<void> {
    const { clock, coordinator, events, log } = this.#deps
    const { groupId } = this.#options
    coordinator.forget()
    const told = error instanceof GroupRefusal && error.reaction.kind === 'told'
    // One lost connection is everyday life: only what does not heal at once is told.
    if (told || tries > 1) events.problem(problemOf(error, `${doing} consumer group ${groupId}`))
    log.warn({ error: (error as Error).message, tries }, `cannot ${doing} the group yet`)
    await this.#wake.wait(retryDelayMs(tries, clock.chance(), told ? 1000 : 100))
  }

  /** Nothing can be committed any more: the coordinator has given the partitions away, or will have. */
  #lose(reason: string, keepsId: boolean): void {
    const lost = [...this.#owned].sort((a, b) => a - b)
    this.#owned.clear()
    this.#generation = -1
    this.#leader = undefined
    if (!keepsId) this.#memberId = ''
    this.#joining = true
    this.#disarmSession()
    this.#deps.log.warn({ reason, lost }, 'lost the membership of the group')
    if (lost.length > 0) this.#deps.events.lost(lost)
  }

  #heard(sentMs: number): void {
    this.#armSession(this.#options.sessionTimeoutMs - (this.#deps.clock.monotonicMs() - sentMs))
  }

  /** The coordinator starts its own clock when it hears from us: a session that has run out here may have there. */
  #armSession(remainingMs: number): void {
    this.#disarmSession()
    if (this.#owned.size === 0 && this.#generation < 0) return
    this.#disarmSession = this.#deps.clock.after(remainingMs, () => {
      if (this.#left) return
      this.#lose('the coordinator was not heard for a whole session', true)
      this.#deps.coordinator.forget()
      void this.#deps.cluster.drop('group')
      this.#wake.wake()
    })
  }

  async #leave(): Promise<void> {
    if (this.#memberId === '') return
    const { groupId } = this.#options
    const members = [{ memberId: this.#memberId, groupInstanceId: null, reason: 'the consumer was stopped' }]
    try {
      await this.#call(apis.leaveGroup, [groupId, members], leaveTimeoutMs, 'control')
    } catch (error) {
      this.#deps.log.warn({ error: (error as Error).message }, 'could not leave the group: the session will run out')
    }
  }

  async #call<Request extends unknown[], Response>(
    family: ApiFamily<Request, Response>,
    request: Request,
    timeoutMs: number,
    use: WireUse = 'group'
  ): Promise<Response> {
    const { cluster, coordinator } = this.#deps
    const wire = await coordinator.wire(use)
    return cluster.call(wire, family, request, timeoutMs)
  }

  #check(code: number, what: string): void {
    if (code === errorCode.none) return
    if (code === errorCode.inconsistentGroupProtocol)
      throw new GroupRefusal(code, `${what} (its members do not offer the assignment strategy ${protocolName})`)
    throw new GroupRefusal(code, what)
  }
}
