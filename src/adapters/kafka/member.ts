import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { apis } from './apis.ts'
import type { ApiFamily } from './apis.ts'
import { assignCooperatively } from './assignor.ts'
import type { GroupMember } from './assignor.ts'
import type { Cluster, WireUse } from './cluster.ts'
import type { CoordinatorFinder } from './coordinator.ts'
import { difference, heartbeatIntervalMs, reactTo } from './group-protocol.ts'
import type { GroupEvents, GroupIdentity, GroupProtocol, GroupReaction } from './group-protocol.ts'
import { errorCode, KafkaRefusal, problemOf } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'
import { decodeAssignment, decodeMember, encodeAssignment, encodeSubscription } from './subscription.ts'
import { Waiter } from './waiter.ts'

const protocolType = 'consumer'
const protocolName = 'cooperative-sticky'
/** An answer to a join may come this much later than the rebalance timeout allows the others. */
const joinSlackMs = 10_000
const leaveTimeoutMs = 3000
const leadingRefreshMs = 1000

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

interface Joined {
  readonly leads: boolean
  readonly members: readonly GroupMember[]
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
  readonly #revoking = new Map<number, Promise<void>>()
  readonly #intervalMs: number
  readonly #wake: Waiter
  #memberId = ''
  #generation = -1
  #joining = true
  #leaving = false
  #left = false
  #done: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined
  /** Partition counts this member assigned by as the leader; undefined: it does not lead. */
  #counts: ReadonlyMap<string, number> | undefined
  #countsAtMs = 0
  #disarmSession: () => void = () => undefined

  constructor(options: MemberOptions, deps: MemberDeps) {
    this.#options = options
    this.#deps = deps
    this.#intervalMs = heartbeatIntervalMs(options.sessionTimeoutMs)
    this.#wake = new Waiter(deps.clock)
  }

  start(): void {
    this.#done = this.#run()
  }

  get identity(): GroupIdentity | undefined {
    if (this.#generation < 0) return undefined
    return {
      groupId: this.#options.groupId,
      memberId: this.#memberId,
      generation: this.#generation,
      instanceId: null
    }
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
    await this.#revoke([...this.#owned])
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

  /** Resolves when nothing of it runs any more, which may need the cluster's connections to be closed. */
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
    log.info({ generation: this.#generation, gained, gone, leads: joined.leads }, 'joined the group')
    // Lost and won again while the listener still answers for the first time: one call at a time.
    await this.#beatWhile(this.#pendingRevocations(gained))
    if (gained.length > 0 && !this.#leaving) {
      for (const partition of gained) this.#owned.add(partition)
      this.#deps.events.gained(gained)
    }
    if (gone.length > 0) {
      await this.#beatWhile(this.#revoke(gone))
      return
    }
    await this.#beat()
  }

  async #join(): Promise<Joined> {
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
    this.#counts = undefined
    const leads = response.leader === response.memberId
    return { leads, members: leads ? response.members.map(each => readMember(each.memberId, each.metadata)) : [] }
  }

  async #sync(joined: Joined): Promise<number[]> {
    const { groupId, topic, rebalanceTimeoutMs } = this.#options
    const assignments = joined.leads ? await this.#assign(joined.members) : []
    const response = await this.#call(
      apis.syncGroup,
      [groupId, this.#generation, this.#memberId, null, protocolType, protocolName, assignments],
      rebalanceTimeoutMs + joinSlackMs
    )
    this.#check(response.errorCode, `syncing with group ${groupId}`)
    return decodeAssignment(response.assignment, topic)
  }

  async #assign(members: readonly GroupMember[]): Promise<{ memberId: string; assignment: Buffer }[]> {
    const counts = await this.#partitionCounts([...new Set(members.flatMap(member => member.topics))])
    this.#counts = counts
    this.#countsAtMs = this.#deps.clock.monotonicMs()
    const assignments = assignCooperatively(members, counts)
    return [...assignments].map(([memberId, assignment]) => ({ memberId, assignment: encodeAssignment(assignment) }))
  }

  /** A topic that cannot be described has no partitions to give. */
  async #partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    const found = await this.#deps.cluster.topics(topics)
    return new Map(topics.map(topic => [topic, countOf(found.get(topic))]))
  }

  /** Heartbeats until a rebalance begins, or there is reason to begin one. */
  async #beat(): Promise<void> {
    while (!this.#left) {
      await this.#wake.wait(this.#intervalMs)
      if (this.#left || (await this.#heartbeat()) === 'rejoin') return
      if (await this.#partitionsAdded()) return
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

  async #partitionsAdded(): Promise<boolean> {
    const { clock, log } = this.#deps
    const known = this.#counts
    const ageMs = clock.monotonicMs() - this.#countsAtMs
    const wantedMs = Math.max(leadingRefreshMs, this.#options.metadataMaxAgeMs)
    if (known === undefined || ageMs < wantedMs) return false
    this.#countsAtMs = clock.monotonicMs()
    const counts = await this.#partitionCounts([...known.keys()]).catch(() => known)
    // Fewer: a topic was deleted, or cannot be described just now. Its readers hear of that from their fetches.
    const added = [...counts].some(([topic, count]) => count > (known.get(topic) ?? 0))
    if (added) log.info({}, 'partitions were added: the group rebalances')
    return added
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
    if (told || tries > 0) events.problem(problemOf(error, `${doing} consumer group ${groupId}`))
    log.warn({ error: (error as Error).message, tries }, `cannot ${doing} the group yet`)
    await this.#wake.wait(retryDelayMs(tries, clock.chance(), told ? 1000 : 100))
  }

  /** Whoever is told here has been told of none of these partitions since. */
  #revoke(partitions: readonly number[]): Promise<void> {
    const fresh = partitions.filter(partition => this.#owned.has(partition) && !this.#revoking.has(partition))
    if (fresh.length > 0) {
      const revoking = this.#awaitListener(fresh)
      for (const partition of fresh) this.#revoking.set(partition, revoking)
    }
    return this.#pendingRevocations(partitions)
  }

  async #pendingRevocations(partitions: readonly number[]): Promise<void> {
    await Promise.all(partitions.flatMap(partition => this.#revoking.get(partition) ?? []))
  }

  async #awaitListener(partitions: readonly number[]): Promise<void> {
    const { clock, events, log } = this.#deps
    const { revokeTimeoutMs } = this.#options
    const { promise: late, resolve } = Promise.withResolvers<'late'>()
    const cancel = clock.after(revokeTimeoutMs, () => resolve('late'))
    const drained = events.revoked(partitions).catch((error: unknown) => {
      log.error({ error: String(error), partitions }, 'revoking failed: the partitions are given up as they are')
    })
    const outcome = await Promise.race([drained, late])
    cancel()
    const still = partitions.filter(partition => this.#owned.delete(partition))
    for (const partition of partitions) this.#revoking.delete(partition)
    if (outcome !== 'late') return
    log.warn({ partitions }, `partitions were not drained within ${revokeTimeoutMs} ms: they go as they are`)
    if (still.length > 0) events.lost(still)
  }

  /** Nothing can be committed any more: the coordinator has given the partitions away, or will have. */
  #lose(reason: string, keepsId: boolean): void {
    const lost = [...this.#owned].sort((a, b) => a - b)
    this.#owned.clear()
    this.#generation = -1
    this.#counts = undefined
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

/** A member whose subscription cannot be read gets nothing, and keeps nobody else from getting something. */
function readMember(memberId: string, metadata: Buffer): GroupMember {
  try {
    return decodeMember(memberId, metadata)
  } catch {
    return { memberId, topics: [], owned: new Map(), generation: -1 }
  }
}

const countOf = (topic: { readonly partitions: ReadonlyMap<number, unknown> } | number | undefined): number =>
  topic === undefined || typeof topic === 'number' ? 0 : topic.partitions.size
