import { apis } from './apis.ts'
import { GroupLeader } from './group-leader.ts'
import { difference, GroupRefusal, heartbeatIntervalMs, reactTo } from './group-protocol.ts'
import type { GroupIdentity, GroupProtocol } from './group-protocol.ts'
import { leaveTimeoutMs, Membership } from './membership.ts'
import type { MemberDeps, MemberOptions } from './membership.ts'
import { errorCode } from './problems.ts'
import { decodeAssignment, encodeSubscription } from './subscription.ts'

const protocolType = 'consumer'
const protocolName = 'cooperative-sticky'
/** An answer to a join may come this much later than the rebalance timeout allows the others. */
const joinSlackMs = 10_000
const eagerIntervalMs = 250

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
 * From any of them it may lose its membership, when the coordinator says so: everything is lost at once, then it joins
 * anew. While the coordinator says nothing for longer than a session, it may have been lost: it is `unheard` then.
 */
export class ClassicMember implements GroupProtocol {
  readonly #options: MemberOptions
  readonly #deps: MemberDeps
  readonly #common: Membership
  readonly #intervalMs: number
  #memberId = ''
  #generation = -1
  #joining = true
  #leaving = false
  #left = false
  #done: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined
  /** While this member leads the group. */
  #leader: GroupLeader | undefined

  constructor(options: MemberOptions, deps: MemberDeps) {
    this.#options = options
    this.#deps = deps
    this.#intervalMs = heartbeatIntervalMs(options.sessionTimeoutMs)
    this.#common = new Membership(options, deps)
  }

  start(): void {
    this.#done = this.#run()
  }

  get identity(): GroupIdentity | undefined {
    if (this.#generation < 0) return undefined
    const { groupId, instanceId } = this.#options
    return { protocol: 'classic', groupId, memberId: this.#memberId, generation: this.#generation, instanceId }
  }

  get settling(): boolean {
    return this.#joining
  }

  owns(partition: number): boolean {
    return this.#common.owned.has(partition)
  }

  get confirmedMs(): number {
    return this.#common.confirmedMs
  }

  get unheard(): boolean {
    return this.#common.unheard
  }

  suspect(): void {
    this.#common.wake.wake()
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#leaving = true
    await this.#common.revocations.revoke([...this.#common.owned])
    this.#left = true
    this.#common.wake.wake()
    this.#common.disarm()
    await this.#common.end(() => this.#leave())
    this.#generation = -1
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
    const sentMs = this.#deps.clock.monotonicMs()
    const assigned = await this.#sync(joined)
    this.#joining = false
    this.#common.joined(sentMs)
    this.#deps.events.problem(undefined)
    const { gained, gone } = difference(this.#common.owned, assigned)
    const { log } = this.#deps
    log.info(
      { protocol: 'classic', generation: this.#generation, gained, gone, leads: this.#leader !== undefined },
      'joined the group'
    )
    // Lost and won again while the listener still answers for the first time: one call at a time.
    await this.#beatWhile(this.#common.revocations.pending(gained))
    if (this.#generation < 0) return
    if (!this.#leaving) {
      for (const partition of gained) this.#common.owned.add(partition)
      this.#deps.events.gained(gained)
    }
    if (gone.length > 0) {
      await this.#beatWhile(this.#common.revocations.revoke(gone))
      return
    }
    await this.#beat()
  }

  /** Answers whom to give an assignment to: nobody, unless this member leads. */
  async #join(): Promise<readonly JoinedMember[]> {
    const { groupId, topic, instanceId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    const owned = [...this.#common.owned].sort((a, b) => a - b)
    const metadata = encodeSubscription(topic, owned, this.#generation)
    if (owned.length > 0 || this.#generation >= 0) this.#common.joining()
    const sentMs = this.#deps.clock.monotonicMs()
    const response = await this.#common.call(
      apis.joinGroup,
      [
        groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        this.#memberId,
        instanceId,
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
    this.#common.welcomed(sentMs)
    this.#memberId = response.memberId ?? ''
    this.#generation = response.generationId
    this.#leader = undefined
    if (response.leader !== response.memberId) return []
    const { cluster, clock } = this.#deps
    this.#leader = new GroupLeader(cluster, clock, this.#options.metadataMaxAgeMs)
    return response.members
  }

  async #sync(joined: readonly JoinedMember[]): Promise<number[]> {
    const { groupId, topic, instanceId, rebalanceTimeoutMs } = this.#options
    const assignments = (await this.#leader?.assign(joined)) ?? []
    const response = await this.#common.call(
      apis.syncGroup,
      [groupId, this.#generation, this.#memberId, instanceId, protocolType, protocolName, assignments],
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
      await this.#common.wake.wait(fresh ? Math.min(eagerIntervalMs, this.#intervalMs) : this.#intervalMs)
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
      const outcome = await Promise.race([drained, this.#common.wake.wait(this.#intervalMs)])
      if (outcome === 'drained') return this.#common.wake.wake() // nobody else ends the wait that lost the race
      if (!this.#left) await this.#heartbeat()
      else return drained.then(() => undefined)
    }
  }

  /** Failures that heal by themselves are retried here: only the coordinator knows how long the session lasts. */
  async #heartbeat(): Promise<'beat' | 'rejoin'> {
    const { groupId, instanceId } = this.#options
    const { clock } = this.#deps
    for (let tries = 0; !this.#left; tries++) {
      if (this.#generation < 0) return 'rejoin'
      const request = [groupId, this.#generation, this.#memberId, instanceId] as [string, number, string, string | null]
      const sentMs = clock.monotonicMs()
      try {
        const response = await this.#common.call(apis.heartbeat, request, this.#common.beatTimeoutMs)
        const reaction = reactTo(response.errorCode)
        if (reaction.kind === 'rejoin' || reaction.kind === 'fine') this.#common.heard(sentMs)
        if (reaction.kind === 'rejoin') return 'rejoin'
        this.#check(response.errorCode, `beating for group ${groupId}`)
        this.#deps.events.problem(undefined)
        return 'beat'
      } catch (error) {
        const kind = error instanceof GroupRefusal ? error.reaction.kind : undefined
        if (kind === 'lost' || kind === 'replaced') throw error
        await this.#common.heal(error, tries, 'stay in')
      }
    }
    return 'beat'
  }

  async #failed(error: unknown, tries: number): Promise<void> {
    const reaction = error instanceof GroupRefusal ? error.reaction : undefined
    if (reaction?.kind === 'rejoin') return
    if (reaction?.kind === 'lost') return this.#lose((error as Error).message, reaction.keepsId)
    if (reaction?.kind !== 'replaced') return this.#common.heal(error, tries, 'join')
    this.#lose((error as Error).message, false)
    this.#left = true
    this.#common.tell(error, 'stay in')
  }

  #lose(reason: string, keepsId: boolean): void {
    this.#generation = -1
    this.#leader = undefined
    if (!keepsId) this.#memberId = ''
    this.#joining = true
    this.#common.lose(reason)
  }

  /** A static member does not leave: it may be back before its session ends. */
  async #leave(): Promise<void> {
    const { groupId, instanceId } = this.#options
    if (this.#memberId === '' || instanceId !== null) return
    const members = [{ memberId: this.#memberId, groupInstanceId: null, reason: 'the consumer was stopped' }]
    await this.#common.call(apis.leaveGroup, [groupId, members], leaveTimeoutMs, 'control')
  }

  #check(code: number, what: string): void {
    if (code === errorCode.none) return
    if (code === errorCode.inconsistentGroupProtocol)
      throw new GroupRefusal(code, `${what} (its members do not offer the assignment strategy ${protocolName})`)
    throw new GroupRefusal(code, what)
  }
}
