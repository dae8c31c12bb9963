import type { ConsumerProblem } from '../../ports/consumer.ts'
import { errorCode, KafkaRefusal } from './problems.ts'

/** Who we are to the coordinator, for commits. */
export interface GroupIdentity {
  readonly protocol: 'classic' | 'consumer'
  readonly groupId: string
  readonly memberId: string
  /** Generation of the classic protocol, epoch of KIP-848's. */
  readonly generation: number
  readonly instanceId: string | null
}

/** What a group protocol tells. Partitions are numbers of the one topic that is subscribed. */
export interface GroupEvents {
  /** After every join; an empty list when nothing is new. */
  gained(partitions: readonly number[]): void
  /** Resolves when they may be given up. */
  revoked(partitions: readonly number[]): Promise<void>
  lost(partitions: readonly number[]): void
  /** Undefined: it is a member and all is well. */
  problem(problem: ConsumerProblem | undefined): void
}

/** A way to be a member of a group: the classic one, or KIP-848's. Joins again by itself until stopped. */
export interface GroupProtocol {
  start(): void
  /** Undefined while it is no member. */
  readonly identity: GroupIdentity | undefined
  /** A rebalance goes on: a commit that is refused now may be taken in a moment. */
  readonly settling: boolean
  owns(partition: number): boolean
  /** When it sent what the coordinator last answered as to a member; monotonic. */
  readonly confirmedMs: number
  /**
   * The coordinator was not heard for a whole session. What is owned may be somebody else's; its next answer tells: either we
   * are a member still, and nobody had it meanwhile, or it is lost.
   */
  readonly unheard: boolean
  /** A commit was refused as a stranger's, or we stood still: ask the coordinator now rather than at the next heartbeat. */
  suspect(): void
  /** Revokes what it owns while heartbeats go on, then leaves. Bounded in time. Safe twice and before start. */
  stop(): Promise<void>
  /** Resolves when nothing of it runs any more, which may need the cluster's connections to be closed. */
  readonly ended: Promise<void>
}

/** What a member does about an error code of a group request. */
export type GroupReaction =
  | { readonly kind: 'fine' }
  /** A rebalance goes on: join it. */
  | { readonly kind: 'rejoin' }
  /** The coordinator gave us this id to join with. */
  | { readonly kind: 'take-id' }
  /** The partitions are somebody else's already. */
  | { readonly kind: 'lost'; readonly keepsId: boolean }
  /** Another member took our instance id, and the partitions with it. Joining again would take them back, and so on. */
  | { readonly kind: 'replaced' }
  /** Another broker is the coordinator, or will be. */
  | { readonly kind: 'find-coordinator' }
  /** Only a change outside can help: tell the user, try again at leisure. */
  | { readonly kind: 'told' }

/** Same code, same reaction; an unknown one is retried and told. */
export function reactTo(code: number): GroupReaction {
  switch (code) {
    case errorCode.none:
      return { kind: 'fine' }
    case errorCode.rebalanceInProgress:
      return { kind: 'rejoin' }
    case errorCode.memberIdRequired:
      return { kind: 'take-id' }
    case errorCode.illegalGeneration:
    case errorCode.fencedMemberEpoch:
      return { kind: 'lost', keepsId: true }
    case errorCode.unknownMemberId:
      return { kind: 'lost', keepsId: false }
    case errorCode.fencedInstanceId:
      return { kind: 'replaced' }
    case errorCode.coordinatorLoadInProgress:
    case errorCode.coordinatorNotAvailable:
    case errorCode.notCoordinator:
    case errorCode.requestTimedOut:
      return { kind: 'find-coordinator' }
    default:
      return { kind: 'told' }
  }
}

/** An error code of a group request, with what follows from it. */
export class GroupRefusal extends KafkaRefusal {
  readonly reaction: GroupReaction

  constructor(code: number, what: string) {
    super(code, what)
    this.reaction = reactTo(code)
  }
}

/** What an assignment changes. */
export function difference(
  owned: Iterable<number>,
  assigned: Iterable<number>
): { readonly gained: number[]; readonly gone: number[] } {
  const before = new Set(owned)
  const after = new Set(assigned)
  return { gained: [...after.difference(before)].sort(ascending), gone: [...before.difference(after)].sort(ascending) }
}

const ascending = (a: number, b: number): number => a - b

/** A third of the session, at most three seconds: two beats may be lost. */
export const heartbeatIntervalMs = (sessionTimeoutMs: number): number => Math.min(3000, sessionTimeoutMs / 3)
