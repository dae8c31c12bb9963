import { randomUUID } from 'node:crypto'
import { errorCodes } from './error-codes.ts'
import { GroupMember, refusedJoin, refusedSync } from './group-member.ts'
import type { JoinAnswer, JoinRequest, SyncAnswer } from './group-member.ts'
import { chooseProtocol, commonProtocols } from './protocol-choice.ts'

/**
 * Empty                nobody is in it; offsets may be                   → PreparingRebalance
 * PreparingRebalance   members are told to join again; joins wait        → CompletingRebalance, Empty
 * CompletingRebalance  a generation has begun; syncs wait for the leader → Stable, PreparingRebalance
 * Stable               every member has its assignment                   → PreparingRebalance
 */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

export interface SyncRequest {
  readonly memberId: string
  readonly instanceId: string | null
  readonly generation: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]
}

/** What a member says of itself with every later request. */
export interface MemberClaim {
  readonly memberId: string
  readonly instanceId: string | null
  readonly generation: number
}

const isOther = (given: string | null, chosen: string | null) => given !== null && given !== chosen

const superseded = errorCodes.REBALANCE_IN_PROGRESS

/** A consumer group of the classic protocol, as Kafka's coordinator runs it. Its timers are real time. */
export class Group {
  readonly type = 'classic'
  readonly #initialDelayMs: number
  readonly #members = new Map<string, GroupMember>()
  /** Ids given out with MEMBER_ID_REQUIRED that have not come back yet. */
  readonly #pending = new Map<string, NodeJS.Timeout>()
  #state: GroupState = 'Empty'
  #generation = 0
  #protocolType: string | null = null
  #protocolName: string | null = null
  #leader = ''
  #rebalanceTimer: NodeJS.Timeout | undefined
  /** While the first members of an empty group gather, nobody is answered even when all have joined. */
  #gathering = false

  constructor(initialDelayMs: number) {
    this.#initialDelayMs = initialDelayMs
  }

  get state(): GroupState {
    return this.#state
  }

  get generation(): number {
    return this.#generation
  }

  /** Empty until somebody joined. */
  get protocolType(): string {
    return this.#protocolType ?? ''
  }

  /** The chosen protocol of a stable group. */
  get protocolName(): string {
    return this.#state === 'Stable' ? (this.#protocolName ?? '') : ''
  }

  get members(): readonly GroupMember[] {
    return [...this.#members.values()]
  }

  async join(request: JoinRequest): Promise<JoinAnswer> {
    if (!this.#supports(request)) return refusedJoin(errorCodes.INCONSISTENT_GROUP_PROTOCOL, request.memberId)
    return request.memberId === '' ? this.#joinNew(request) : this.#joinKnown(request)
  }

  async sync(request: SyncRequest): Promise<SyncAnswer> {
    const member = this.#members.get(request.memberId)
    const error = this.#whyNot(request)
    if (error !== errorCodes.NONE || member === undefined) return refusedSync(error)
    if (isOther(request.protocolType, this.#protocolType) || isOther(request.protocolName, this.#protocolName)) {
      return refusedSync(errorCodes.INCONSISTENT_GROUP_PROTOCOL)
    }
    if (this.#state === 'PreparingRebalance') return refusedSync(errorCodes.REBALANCE_IN_PROGRESS)
    this.#touch(member)
    if (this.#state === 'Stable') return this.#assigned(member)
    const answer = member.awaitSync(superseded)
    if (member.id === this.#leader) this.#assign(request.assignments)
    return answer
  }

  /** Error code. */
  heartbeat(claim: MemberClaim): number {
    const error = this.#whyNot(claim)
    if (error !== errorCodes.NONE) return error
    this.#touch(this.#members.get(claim.memberId)!)
    return this.#state === 'PreparingRebalance' ? errorCodes.REBALANCE_IN_PROGRESS : errorCodes.NONE
  }

  /** Error code for one member that leaves or is removed; an operator removes a static member by its instance id alone. */
  leave(memberId: string, instanceId: string | null): number {
    if (instanceId === null && this.#pending.has(memberId)) {
      this.#forgetPending(memberId)
      this.#completeJoinIfAllCame()
      return errorCodes.NONE
    }
    const member = instanceId === null ? this.#members.get(memberId) : this.#static(instanceId)
    if (member === undefined) return errorCodes.UNKNOWN_MEMBER_ID
    if (memberId !== '' && member.id !== memberId) return errorCodes.FENCED_INSTANCE_ID
    this.#remove(member)
    return errorCodes.NONE
  }

  /** Whether these offsets may be committed: error code. A commit also shows that the member lives. */
  checkCommit(claim: MemberClaim): number {
    if (claim.generation < 0 && this.#members.size === 0) return errorCodes.NONE
    const error = this.#whyNot(claim)
    if (error !== errorCodes.NONE) return error
    this.#touch(this.#members.get(claim.memberId)!)
    return this.#state === 'CompletingRebalance' ? errorCodes.REBALANCE_IN_PROGRESS : errorCodes.NONE
  }

  /** Reading offsets needs no membership: no error. */
  checkFetch(): number {
    return errorCodes.NONE
  }

  /** Sends everybody away, as a coordinator that goes down does; the generation stays. */
  disband(error: number): void {
    for (const memberId of this.#pending.keys()) this.#forgetPending(memberId)
    clearTimeout(this.#rebalanceTimer)
    for (const member of this.#members.values()) member.end(error)
    this.#members.clear()
    this.#becomeEmpty()
  }

  #whyNot({ memberId, instanceId, generation }: MemberClaim): number {
    if (instanceId !== null) {
      const holder = this.#static(instanceId)
      if (holder === undefined) return errorCodes.UNKNOWN_MEMBER_ID
      if (holder.id !== memberId) return errorCodes.FENCED_INSTANCE_ID
    }
    if (!this.#members.has(memberId)) return errorCodes.UNKNOWN_MEMBER_ID
    return generation === this.#generation ? errorCodes.NONE : errorCodes.ILLEGAL_GENERATION
  }

  #supports({ protocolType, protocols }: JoinRequest): boolean {
    if (protocolType === '' || protocols.length === 0) return false
    if (this.#members.size === 0) return true
    const common = commonProtocols(this.members)
    return protocolType === this.#protocolType && protocols.some(({ name }) => common.has(name))
  }

  #joinNew(request: JoinRequest): JoinAnswer | Promise<JoinAnswer> {
    const id = `${request.instanceId ?? request.clientId}-${randomUUID()}`
    const holder = request.instanceId === null ? undefined : this.#static(request.instanceId)
    if (holder !== undefined) return this.#replaceStatic(holder, id, request)
    if (request.instanceId === null && request.mayRequireMemberId) {
      this.#pending.set(id, setTimeout(() => this.leave(id, null), request.sessionTimeoutMs).unref())
      return refusedJoin(errorCodes.MEMBER_ID_REQUIRED, id)
    }
    return this.#add(id, request)
  }

  #joinKnown(request: JoinRequest): JoinAnswer | Promise<JoinAnswer> {
    if (request.instanceId === null && this.#pending.has(request.memberId)) {
      this.#forgetPending(request.memberId)
      return this.#add(request.memberId, request)
    }
    const holder = request.instanceId === null ? undefined : this.#static(request.instanceId)
    if (holder !== undefined && holder.id !== request.memberId) {
      return refusedJoin(errorCodes.FENCED_INSTANCE_ID, request.memberId)
    }
    const member = this.#members.get(request.memberId)
    if (member === undefined || member.instanceId !== request.instanceId) {
      return refusedJoin(errorCodes.UNKNOWN_MEMBER_ID, request.memberId)
    }
    const changed = !member.saysTheSame(request.protocols)
    // A leader that joins again asks for a rebalance. A member that repeats itself has lost the answer it got.
    const repeats = this.#state === 'CompletingRebalance' && !changed
    const unmoved = this.#state === 'Stable' && !changed && member.id !== this.#leader
    member.update(request)
    this.#touch(member)
    if (repeats || unmoved) return this.#joined(member)
    const answer = member.awaitJoin(superseded)
    this.#prepareRebalance()
    return answer
  }

  #add(id: string, request: JoinRequest): Promise<JoinAnswer> {
    const member = new GroupMember(id, request)
    if (this.#members.size === 0) this.#protocolType = request.protocolType
    this.#members.set(id, member)
    if (this.#leader === '') this.#leader = id
    this.#touch(member)
    const answer = member.awaitJoin(superseded)
    this.#prepareRebalance()
    return answer
  }

  /** A static member came back under a new id: it gets its old assignment without a rebalance if nothing else changed. */
  #replaceStatic(old: GroupMember, id: string, request: JoinRequest): JoinAnswer | Promise<JoinAnswer> {
    const formerLeader = this.#leader
    const member = new GroupMember(id, request)
    member.assignment = old.assignment
    this.#members.delete(old.id)
    this.#members.set(id, member)
    old.end(errorCodes.FENCED_INSTANCE_ID)
    if (this.#leader === old.id) this.#leader = id
    this.#touch(member)
    if (this.#state === 'Stable' && chooseProtocol(this.members) === this.#protocolName) {
      // An old client cannot be told to skip the assignment; naming its former id as leader makes it a follower.
      const answer = this.#joined(member)
      return request.maySkipAssignment
        ? { ...answer, skipAssignment: this.#leader === id }
        : { ...answer, leader: formerLeader, members: [] }
    }
    const answer = member.awaitJoin(superseded)
    this.#prepareRebalance()
    return answer
  }

  #prepareRebalance(): void {
    if (this.#state === 'PreparingRebalance') return this.#completeJoinIfAllCame()
    for (const member of this.#members.values()) {
      member.assignment = this.#state === 'CompletingRebalance' ? Buffer.alloc(0) : member.assignment
      member.answerSync(refusedSync(errorCodes.REBALANCE_IN_PROGRESS))
    }
    const wasEmpty = this.#state === 'Empty'
    this.#state = 'PreparingRebalance'
    clearTimeout(this.#rebalanceTimer)
    if (!wasEmpty) {
      this.#rebalanceTimer = setTimeout(() => this.#completeJoin(), this.#rebalanceTimeoutMs()).unref()
      this.#completeJoinIfAllCame()
    } else if (this.#initialDelayMs > 0) this.#gather(this.#members.size, this.#rebalanceTimeoutMs())
    else this.#completeJoin()
  }

  /** An empty group waits a little for more members, and again while more come, within the rebalance timeout. */
  #gather(known: number, leftMs: number): void {
    this.#gathering = true
    const delayMs = Math.min(this.#initialDelayMs, leftMs)
    this.#rebalanceTimer = setTimeout(() => {
      if (this.#members.size > known && leftMs > delayMs) this.#gather(this.#members.size, leftMs - delayMs)
      else this.#completeJoin()
    }, delayMs).unref()
  }

  #completeJoinIfAllCame(): void {
    if (this.#state !== 'PreparingRebalance' || this.#gathering || this.#pending.size > 0) return
    if (this.members.every(member => member.isJoining)) this.#completeJoin()
  }

  #completeJoin(): void {
    this.#gathering = false
    clearTimeout(this.#rebalanceTimer)
    // Static members may be restarting: they keep their place until their session ends.
    for (const member of this.members) if (!member.isJoining && member.instanceId === null) this.#forget(member)
    if (this.#members.size === 0) return this.#becomeEmpty()
    if (!this.#members.get(this.#leader)?.isJoining) {
      const joined = this.members.find(member => member.isJoining)
      if (joined === undefined) {
        this.#rebalanceTimer = setTimeout(() => this.#completeJoin(), this.#rebalanceTimeoutMs()).unref()
        return
      }
      this.#leader = joined.id
    }
    this.#generation += 1
    this.#protocolName = chooseProtocol(this.members)
    this.#state = 'CompletingRebalance'
    this.#rebalanceTimer = setTimeout(() => this.#dropUnsynced(), this.#rebalanceTimeoutMs()).unref()
    for (const member of this.#members.values()) {
      member.answerJoin(this.#joined(member))
      this.#touch(member)
    }
  }

  #joined(member: GroupMember): JoinAnswer {
    const leads = member.id === this.#leader
    return {
      error: errorCodes.NONE,
      generation: this.#generation,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      leader: this.#leader,
      memberId: member.id,
      skipAssignment: false,
      members: leads ? this.members.map(other => this.#introduce(other)) : []
    }
  }

  #introduce(member: GroupMember): JoinAnswer['members'][number] {
    const { id, instanceId } = member
    return { memberId: id, instanceId, metadata: member.metadataFor(this.#protocolName) }
  }

  #assign(assignments: SyncRequest['assignments']): void {
    const byMember = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]))
    clearTimeout(this.#rebalanceTimer)
    this.#state = 'Stable'
    for (const member of this.#members.values()) {
      member.assignment = Buffer.from(byMember.get(member.id) ?? [])
      if (!member.isSyncing) continue
      member.answerSync(this.#assigned(member))
      this.#touch(member)
    }
  }

  #assigned({ assignment }: GroupMember): SyncAnswer {
    return {
      error: errorCodes.NONE,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      assignment
    }
  }

  /** Members that took the generation but never asked for their assignment hold up the rest. */
  #dropUnsynced(): void {
    const late = this.members.filter(member => !member.isSyncing)
    for (const member of late) this.#forget(member)
    this.#prepareRebalance()
  }

  #remove(member: GroupMember): void {
    this.#forget(member)
    this.#prepareRebalance()
  }

  #forget(member: GroupMember): void {
    this.#members.delete(member.id)
    member.end(errorCodes.UNKNOWN_MEMBER_ID)
    if (this.#leader === member.id) this.#leader = this.members[0]?.id ?? ''
  }

  #forgetPending(memberId: string): void {
    clearTimeout(this.#pending.get(memberId))
    this.#pending.delete(memberId)
  }

  #becomeEmpty(): void {
    this.#state = 'Empty'
    this.#generation += 1
    this.#protocolName = null
    this.#leader = ''
    this.#gathering = false
  }

  #touch(member: GroupMember): void {
    member.touch(() => this.#remove(member))
  }

  #static(instanceId: string): GroupMember | undefined {
    return this.members.find(member => member.instanceId === instanceId)
  }

  #rebalanceTimeoutMs(): number {
    return Math.max(1, ...this.members.map(member => member.rebalanceTimeoutMs))
  }
}
