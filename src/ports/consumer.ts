import type { StartingPosition } from '../core/mapping/mapping.ts'
import type { Block, TopicPartition } from '../core/record.ts'
import type { ClusterSecurity } from './cluster-security.ts'

/** How to reach a cluster. Plain data: it crosses to a poller's thread. */
export interface ClusterAddress {
  readonly bootstrapServers: readonly string[]
  /** Absent: plaintext. */
  readonly security?: ClusterSecurity
}

export type GroupProtocolChoice = 'auto' | 'classic' | 'consumer'

export interface ConsumerOptions {
  readonly cluster: ClusterAddress
  readonly topic: string
  readonly groupId: string
  readonly clientId: string
  readonly startingPosition: StartingPosition
  /** How the group is formed. Default `auto`: KIP-848's protocol `consumer` where broker and group take part in it. */
  readonly groupProtocol?: GroupProtocolChoice
  /** A member of a classic group that was not heard of for so long is taken for dead. Default: 45 s, as Kafka's own. */
  readonly sessionTimeoutMs?: number
  /**
   * Makes a static member (KIP-345): stopped and started again within the session it goes on without a rebalance.
   * No two members of a group at a time may have the same.
   */
  readonly groupInstanceId?: string
  /** Where this node is, as brokers name their racks: replicas there are read from where the brokers choose so (KIP-392). */
  readonly clientRack?: string
  /** How long a rebalance waits for the batches in flight of partitions that go. */
  readonly drainMs: number
}

/** A partition that is now ours. */
export interface AssignedPartition extends TopicPartition {
  /** Where to begin: the committed offset, or what the starting position says. */
  readonly startOffset: number
  /** The group had no committed offset: `startOffset` follows from the starting position. */
  readonly fresh: boolean
  /** What was committed with the offset, whoever wrote it. */
  readonly metadata?: string
}

/** How far it got: what a connection goes through in this order, then what it is used for. */
export type ProblemStage =
  | 'secret'
  | 'DNS'
  | 'TCP'
  | 'TLS'
  | 'API versions'
  | 'SASL'
  | 'metadata'
  | 'authorisation'
  | 'group'
  | 'offsets'
  | 'fetch'

/** Why reading does not go on, in terms of the user's world; healed when `undefined` is reported. */
export interface ConsumerProblem {
  /**
   * server-untrusted    the broker's certificate proves nothing to us
   * client-refused      the broker does not take our certificate, or misses one
   * client-certificate  our certificate or key cannot be used at all
   * secret              what holds our credentials cannot be had
   * permission          AWS does not let us have it
   * role                the mapping's role cannot be assumed
   */
  readonly kind:
    | 'unresolvable'
    | 'connection'
    | 'server-untrusted'
    | 'client-refused'
    | 'client-certificate'
    | 'secret'
    | 'permission'
    | 'role'
    | 'authentication'
    | 'authorization'
    | 'unknown-topic'
    | 'offset-out-of-range'
    | 'corrupt'
    | 'internal'
  readonly stage?: ProblemStage
  /** `host:port`, or several with commas where it may have been any of them. */
  readonly broker?: string
  readonly message: string
}

/** What the poller answers to Kafka's side. All on one thread; no call overlaps itself for the same partition. */
export interface ConsumerListener {
  /** Also told, with an empty list, when the group has nothing for us: we take part. */
  assigned(partitions: readonly AssignedPartition[]): void
  /** Resolves when nothing of these partitions is in flight and what can be committed is: only then are they given up. */
  revoked(partitions: readonly TopicPartition[]): Promise<void>
  /** They have gone already: no commit, no new call, late answers settle nothing. */
  lost(partitions: readonly TopicPartition[]): void
  /** Blocks arrive ascending per partition. The listener finishes every record of it, whatever happens. */
  fetched(block: Block): void
  /** Nothing to deliver below `nextOffset` (control records, filtered transactions). */
  skipped(partition: TopicPartition, nextOffset: number): void
  /** The log no longer has `from`: reading goes on at `to` by the policy of the starting position. Reported once. */
  jumped(partition: TopicPartition, from: number, to: number): void
  /** May the next fetch ask for this partition? Asked before each fetch. */
  wants(partition: TopicPartition): boolean
  /** Whole consumer (undefined: it is well again). */
  problem(problem: ConsumerProblem | undefined): void
}

export interface CommitOffset extends TopicPartition {
  readonly offset: number
  readonly metadata?: string
}

/** A member of a consumer group, with fetching and commits. Reconnects and rejoins for ever by itself until stopped. */
export interface Consumer {
  /** Returns at once; what happens is told to the listener. */
  start(listener: ConsumerListener): void
  /** Commits as the present owner; rejects when it was not taken (`lost` or a later commit decides what follows). */
  commit(offsets: readonly CommitOffset[]): Promise<void>
  /**
   * The group was not heard for a whole session, or not since the process stood still: what was ours may be somebody else's. No
   * call is to begin; ask again soon. Absent: it never is.
   */
  readonly inDoubt?: boolean
  /** A partition that was refused by `wants` is wanted again. */
  resume(): void
  /** Revokes everything (`listener.revoked`), leaves the group, closes connections. */
  stop(): Promise<void>
}
