import { randomUUID } from 'node:crypto'
import { apis } from './apis.ts'
import { difference, GroupRefusal } from './group-protocol.ts'
import type { GroupIdentity, GroupProtocol } from './group-protocol.ts'
import { leaveTimeoutMs, Membership } from './membership.ts'
import type { MemberDeps, MemberOptions } from './membership.ts'
import { errorCode, errorName } from './problems.ts'

/** Epochs with a meaning of their own. */
const epochs = { join: 0, leave: -1, leaveForAMoment: -2 } as const
/** Until the broker has said how often it wants to hear from us: its own default. */
const firstIntervalMs = 5000
/** A broker that asks for more than this is not obeyed. */
const leastIntervalMs = 50
/**
 * Who has just joined and got nothing asks this often for one interval: coordinators assign a moment later (Kafka gathers
 * assignments), and a restarted mapping must not stand still for a whole interval until it hears.
 */
const eagerIntervalMs = 250

export interface ConsumerProtocolDeps extends MemberDeps {
  /** Assignments name topics by id: the topic's as the metadata last had it, and how to have it read again. */
  readonly topic: { readonly id: () => string | undefined; readonly refresh: () => void }
  /** Called once, with nothing owned, when broker or group do not take part in this protocol; the member has ended then. */
  readonly refused?: (why: string) => void
}

interface AssignedTopic {
  readonly topicId: string
  readonly partitions: readonly number[]
}

/**
 * A member of a group of the protocol `consumer` (KIP-848): the coordinator assigns, and a heartbeat is all that is said.
 * Each tells what is owned, each answer what shall be. What goes is named as owned until the listener has finished with
 * it, and only when the coordinator has read that it is gone does anybody get it.
 *
 * joining  epoch 0; owns nothing                                                → member
 * member   beats at the broker's interval, sooner while it has nothing yet, at once when partitions are gone → joining (fenced)
 * left     final: told to stop, refused, or replaced by another of our name
 */
export class ConsumerProtocolMember implements GroupProtocol {
  readonly #options: MemberOptions
  readonly #deps: ConsumerProtocolDeps
  readonly #common: Membership
  readonly #memberId = randomUUID()
  #epoch: number = epochs.join
  /** The coordinator may know our id: there is something to leave. */
  #known = false
  /** Of what is owned; a topic that was made anew has another. */
  #topicId: string | undefined
  #intervalMs = firstIntervalMs
  #eagerUntilMs = 0
  #leaving = false
  #left = false
  #done: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined

  constructor(options: MemberOptions, deps: ConsumerProtocolDeps) {
    this.#options = options
    this.#deps = deps
    this.#common = new Membership(options, deps)
  }

  start(): void {
    this.#done = this.#run()
  }

  get identity(): GroupIdentity | undefined {
    if (this.settling) return undefined
    const { groupId, instanceId } = this.#options
    return { protocol: 'consumer', groupId, memberId: this.#memberId, generation: this.#epoch, instanceId }
  }

  get settling(): boolean {
    return this.#epoch === epochs.join
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
    const { owned, revocations, wake } = this.#common
    this.#leaving = true
    await revocations.revoke([...owned])
    this.#left = true
    wake.wake()
    this.#common.disarm()
    await this.#common.end(async () => {
      // A join under way that came after our leaving would make a member that nobody is.
      await this.#done
      await this.#leave()
    })
    this.#epoch = epochs.join
  }

  get ended(): Promise<void> {
    return this.#done
  }

  async #run(): Promise<void> {
    for (let tries = 0; !this.#left; tries++) {
      try {
        await this.#beat()
        tries = -1
        if (!this.#left) await this.#common.wake.wait(this.#pauseMs)
      } catch (error) {
        if (!this.#left) await this.#failed(error, tries)
      }
    }
  }

  /** Until the next heartbeat. */
  get #pauseMs(): number {
    const eager = this.#common.owned.size === 0 && this.#deps.clock.monotonicMs() < this.#eagerUntilMs
    return eager ? Math.min(eagerIntervalMs, this.#intervalMs) : this.#intervalMs
  }

  /** Always says everything: then every answer tells the whole assignment, and no lost one matters. */
  async #beat(): Promise<void> {
    const { groupId, topic, instanceId, rebalanceTimeoutMs } = this.#options
    const { cluster, clock, coordinator, events } = this.#deps
    const epoch = this.#epoch
    const wire = await coordinator.wire('group')
    if (!cluster.offered(wire).has(apis.consumerGroupHeartbeat.key)) return this.#refuse('the broker does not offer it')
    const partitions = [...this.#common.owned].sort((a, b) => a - b)
    const owned = partitions.length === 0 ? [] : [{ topicId: this.#topicId!, partitions }]
    const sentMs = clock.monotonicMs()
    this.#known = true
    const response = await cluster.call(
      wire,
      apis.consumerGroupHeartbeat,
      [groupId, this.#memberId, epoch, instanceId, null, rebalanceTimeoutMs, [topic], null, null, owned],
      this.#common.beatTimeoutMs
    )
    // The answer is to somebody we are no longer.
    if (this.#left) return
    if (this.#isRefusal(response.errorCode, epoch)) {
      return this.#refuse(response.errorMessage ?? errorName(response.errorCode))
    }
    const what = epoch === epochs.join ? 'joining' : 'beating for'
    if (response.errorCode !== errorCode.none) throw new GroupRefusal(response.errorCode, `${what} group ${groupId}`)
    this.#epoch = response.memberEpoch
    this.#intervalMs = Math.max(leastIntervalMs, response.heartbeatIntervalMs)
    if (epoch === epochs.join) this.#eagerUntilMs = clock.monotonicMs() + this.#intervalMs
    // The session is the broker's setting, and not told: ours is Kafka's default.
    this.#common.heard(sentMs, this.#intervalMs)
    events.problem(undefined)
    if (response.assignment !== null) this.#follow(response.assignment.topicPartitions, epoch === epochs.join)
  }

  /** Takes what was assigned and is not owned, and begins to give up what is owned and was not assigned. */
  #follow(assignment: readonly AssignedTopic[], joins: boolean): void {
    const { owned, revocations, wake } = this.#common
    const { events, log, topic } = this.#deps
    if (owned.size === 0) this.#topicId = topic.id()
    // The topic was made anew: what is owned of the old one goes, and the next answer is read with the new id.
    if (assignment.some(({ topicId }) => topicId !== this.#topicId)) topic.refresh()
    const assigned = assignment.find(({ topicId }) => topicId === this.#topicId)?.partitions ?? []
    const { gained, gone } = difference(owned, assigned)
    const going = gone.filter(partition => !revocations.has(partition))
    // Lost and won again while the listener still answers for the first time: one call at a time.
    const taken = this.#leaving ? [] : gained.filter(partition => !revocations.has(partition))
    const later = gained.filter(partition => revocations.has(partition))
    if (joins || taken.length > 0 || going.length > 0) {
      const changes = { protocol: 'consumer', epoch: this.#epoch, gained: taken, gone: going }
      log.info(changes, joins ? 'joined the group' : 'the group was rebalanced')
    }
    for (const partition of taken) owned.add(partition)
    if (!this.#leaving && (joins || taken.length > 0)) events.gained(taken)
    if (later.length > 0) void revocations.pending(later).then(() => wake.wake())
    if (going.length > 0) void revocations.revoke(going).then(() => wake.wake())
  }

  async #failed(error: unknown, tries: number): Promise<void> {
    const joins = this.settling
    const refusal = error instanceof GroupRefusal ? error : undefined
    const kind = refusal === undefined ? undefined : this.#reaction(refusal)
    if (kind === 'lost' && !joins) return this.#lose((error as Error).message)
    if (kind === 'replaced') {
      this.#lose((error as Error).message)
      this.#left = true
      return this.#common.tell(error, 'stay in')
    }
    // Refused as somebody who is there already: as us, when it was we who thought that all was lost, or the answer to
    // our join was lost. Then we can leave; and when it is somebody else, nothing comes of it.
    if (joins && (kind === 'lost' || refusal?.code === errorCode.unreleasedInstanceId)) await this.#tryToLeave()
    return this.#common.heal(error, tries, joins ? 'join' : 'stay in')
  }

  #reaction({ code, reaction }: GroupRefusal): GroupRefusal['reaction']['kind'] {
    // To a member it means that the group was deleted; to one that joins, that others speak the classic protocol.
    return code === errorCode.groupIdNotFound && !this.settling ? 'lost' : reaction.kind
  }

  /** Whether it is the protocol that was refused, and somebody wants to know. */
  #isRefusal(code: number, epoch: number): boolean {
    if (this.#deps.refused === undefined || epoch !== epochs.join) return false
    return code === errorCode.unsupportedVersion || code === errorCode.groupIdNotFound
  }

  #refuse(why: string): void {
    const { refused } = this.#deps
    if (refused === undefined || !this.settling) {
      throw new GroupRefusal(errorCode.unsupportedVersion, `speaking the group protocol consumer (${why})`)
    }
    this.#left = true
    this.#known = false
    refused(why)
  }

  #lose(reason: string): void {
    this.#epoch = epochs.join
    this.#common.lose(reason)
  }

  async #tryToLeave(): Promise<void> {
    try {
      await this.#leave()
    } catch (error) {
      this.#deps.log.debug({ error: (error as Error).message }, 'could not leave before joining again')
    }
  }

  /** A static member that stops says that it may be back: nobody gets its partitions before its session ends. */
  async #leave(): Promise<void> {
    const { groupId, instanceId } = this.#options
    if (!this.#known) return
    const epoch = instanceId === null ? epochs.leave : epochs.leaveForAMoment
    const request = [groupId, this.#memberId, epoch, instanceId, null, -1, null, null, null, null] as const
    await this.#common.call(apis.consumerGroupHeartbeat, [...request], leaveTimeoutMs, 'control')
  }
}
