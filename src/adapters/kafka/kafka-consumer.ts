import type { TopicPartition } from '../../core/record.ts'
import type { AddressGuard } from '../../core/net/address-guard.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ClusterSecrets } from '../../ports/cluster-security.ts'
import type {
  CommitOffset,
  Consumer,
  ConsumerListener,
  ConsumerOptions,
  ConsumerProblem,
  GroupProtocolChoice
} from '../../ports/consumer.ts'
import type { Log } from '../../ports/log.ts'
import type { LoginTurns } from '../../ports/login-turns.ts'
import type { FetchMemory } from '../../ports/memory.ts'
import { BufferPool } from './buffer-pool.ts'
import { Cluster } from './cluster.ts'
import { Committer } from './committer.ts'
import { CoordinatorFinder } from './coordinator.ts'
import { Doubt } from './doubt.ts'
import { Fetcher } from './fetcher.ts'
import type { ResetReason } from './fetcher.ts'
import type { GroupEvents, GroupProtocol } from './group-protocol.ts'
import { ConsumerProtocolMember } from './consumer-protocol-member.ts'
import type { ConsumerProtocolDeps } from './consumer-protocol-member.ts'
import { ClassicMember } from './member.ts'
import type { MemberOptions } from './membership.ts'
import { NegotiatedMember } from './negotiated-member.ts'
import { listAt, listOffsets, resetTimestamp } from './offsets.ts'
import { ProblemBoard } from './problems.ts'
import { Starter } from './starter.ts'
import type { StartedPartition } from './starter.ts'
import { TopicWatch } from './topic-watch.ts'

export interface KafkaConsumerDeps {
  readonly clock: Clock
  readonly log: Log
  /** With any security but plaintext. */
  readonly secrets?: ClusterSecrets
  /** Shared by all who may show the same credentials; absent: they are nobody else's. */
  readonly logins?: LoginTurns
  /** Addresses not to connect to. Default: those of metadata services. */
  readonly guard?: AddressGuard
  /** What fetches may hold; absent: as much as they like. */
  readonly memory?: FetchMemory
}

/** What nobody sets but tests: the defaults are made for production. */
export interface KafkaTuning {
  readonly sessionTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly commitTimeoutMs: number
  readonly metadataMaxAgeMs: number
  readonly fetchMaxWaitMs: number
  readonly fetchIdleWaitMs: number
  readonly fetchMaxBytes: number
  readonly partitionMaxBytes: number
  readonly pool: BufferPool
}

/** A listener that has not drained this long after its time is not waited for. */
const drainSlackMs = 5000
/** A broker that is gone must not keep us from ending. */
const stopCommitTimeoutMs = 5000
const maxIdlePoolBytes = 24 << 20

// One pool for all consumers of a thread: what one does not need another may use.
const sharedPool = new BufferPool(maxIdlePoolBytes)

const defaultTuning: KafkaTuning = {
  // Longer than a broker takes to restart, so that a rolling restart rebalances nothing.
  sessionTimeoutMs: 45_000,
  // A problem is to be told within five seconds, whatever opening the connection hangs at.
  connectTimeoutMs: 3000,
  requestTimeoutMs: 10_000,
  commitTimeoutMs: 15_000,
  metadataMaxAgeMs: 30_000,
  fetchMaxWaitMs: 500,
  // Ten times fewer requests of mappings that have nothing to do; what comes is answered at once all the same.
  fetchIdleWaitMs: 5000,
  fetchMaxBytes: 8 << 20,
  partitionMaxBytes: 2 << 20,
  pool: sharedPool
}

/** Opens nothing yet: `start` does. */
export function openKafkaConsumer(
  options: ConsumerOptions,
  deps: KafkaConsumerDeps,
  tuning: Partial<KafkaTuning> = {}
): Consumer {
  return new KafkaConsumer(options, deps, { ...defaultTuning, ...tuning })
}

/**
 * One consumer: joins the parts, and keeps the order of what the listener hears.
 *
 * idle      before start            → running, stopped
 * running                           → stopping
 * stopping  revokes, leaves, closes → stopped
 */
class KafkaConsumer implements Consumer {
  readonly #options: ConsumerOptions
  readonly #cluster: Cluster
  readonly #watch: TopicWatch
  readonly #member: GroupProtocol
  readonly #committer: Committer
  readonly #starter: Starter
  readonly #fetcher: Fetcher
  readonly #problems: ProblemBoard
  readonly #clock: Clock
  readonly #doubt: Doubt
  #listener: ConsumerListener | undefined
  #stopped: Promise<void> | undefined

  constructor(options: ConsumerOptions, deps: KafkaConsumerDeps, tuning: KafkaTuning) {
    this.#options = options
    const log = deps.log.child({ topic: options.topic, group: options.groupId })
    const clock = deps.clock
    this.#clock = clock
    const tell = (problem: ConsumerProblem | undefined) => {
      if (this.#stopped === undefined) this.#listener?.problem(problem)
    }
    const problems = new ProblemBoard(tell, clock, options.cluster.bootstrapServers.join())
    this.#problems = problems
    const { requestTimeoutMs, connectTimeoutMs } = tuning
    const cluster = new Cluster(
      {
        bootstrapServers: options.cluster.bootstrapServers,
        clientId: options.clientId,
        connectTimeoutMs,
        requestTimeoutMs,
        ...(options.cluster.security === undefined ? {} : { security: options.cluster.security })
      },
      { ...deps, log, pool: tuning.pool }
    )
    const coordinator = new CoordinatorFinder(cluster, options.groupId)
    const watch = new TopicWatch(options.topic, tuning.metadataMaxAgeMs, {
      cluster,
      clock,
      log,
      problems,
      changed: topic => {
        this.#fetcher.setTopic(topic)
        this.#starter.wake()
      }
    })
    const member = openMember(
      options.groupProtocol ?? 'auto',
      options.sessionTimeoutMs ?? tuning.sessionTimeoutMs,
      {
        groupId: options.groupId,
        topic: options.topic,
        instanceId: options.groupInstanceId ?? null,
        sessionTimeoutMs: tuning.sessionTimeoutMs,
        rebalanceTimeoutMs: options.drainMs + 3 * drainSlackMs,
        revokeTimeoutMs: options.drainMs + drainSlackMs,
        metadataMaxAgeMs: tuning.metadataMaxAgeMs
      },
      {
        cluster,
        coordinator,
        clock,
        log,
        events: this.#groupEvents(problems),
        topic: { id: () => watch.topic?.id, refresh: () => watch.refresh() }
      }
    )
    this.#committer = new Committer(options.topic, tuning.commitTimeoutMs, {
      cluster,
      coordinator,
      group: member,
      clock,
      log,
      leaderEpoch: (partition, offset) => this.#fetcher.epochBefore(partition, offset)
    })
    this.#starter = new Starter(options, {
      cluster,
      coordinator,
      committer: this.#committer,
      group: member,
      watch,
      clock,
      log,
      problems,
      started: partitions => this.#started(partitions)
    })
    this.#fetcher = new Fetcher(
      {
        maxWaitMs: tuning.fetchMaxWaitMs,
        idleWaitMs: tuning.fetchIdleWaitMs,
        followerMaxAgeMs: tuning.metadataMaxAgeMs,
        ...(options.clientRack === undefined ? {} : { rack: options.clientRack }),
        maxBytes: tuning.fetchMaxBytes,
        partitionMaxBytes: tuning.partitionMaxBytes,
        requestTimeoutMs
      },
      {
        cluster,
        clock,
        log,
        problems,
        ...(deps.memory === undefined ? {} : { memory: deps.memory }),
        sink: {
          wants: partition => this.#listener!.wants(partition),
          fetched: block => this.#listener!.fetched(block),
          skipped: (partition, nextOffset) => this.#listener!.skipped(partition, nextOffset),
          jumped: (partition, from, to) => this.#listener!.jumped(partition, from, to)
        },
        refreshTopic: () => watch.refresh(),
        resetOffset: (partition, reason) => this.#resetOffset(partition, reason)
      }
    )
    this.#cluster = cluster
    this.#watch = watch
    this.#member = member
    this.#doubt = new Doubt(member, clock)
  }

  start(listener: ConsumerListener): void {
    if (this.#listener !== undefined) throw new Error('the consumer was started already')
    this.#listener = listener
    if (this.#stopped !== undefined) return
    // It counts from the first question on.
    this.#clock.cameBackMs?.()
    this.#watch.start()
    void this.#starter.readHistory().then(() => {
      if (this.#stopped === undefined) this.#member.start()
    })
  }

  commit(offsets: readonly CommitOffset[]): Promise<void> {
    return this.#committer.commit(offsets)
  }

  get inDoubt(): boolean {
    return this.#doubt.holds
  }

  resume(): void {
    this.#fetcher.pump()
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#committer.hurry(stopCommitTimeoutMs)
    this.#starter.stop()
    this.#fetcher.stop()
    this.#watch.stop()
    await this.#member.stop()
    this.#committer.stop()
    await this.#cluster.close()
    this.#problems.clearAll()
    await Promise.all([this.#member.ended, this.#watch.ended, this.#starter.ended])
  }

  #groupEvents(problems: ProblemBoard): GroupEvents {
    return {
      gained: partitions => {
        // More members than partitions: it takes part, and has nothing to do.
        if (partitions.length === 0) this.#listener!.assigned([])
        else this.#starter.begin(partitions)
      },
      revoked: async partitions => {
        const told = this.#takeBack(partitions)
        if (told.length > 0) await this.#listener!.revoked(told)
      },
      lost: partitions => {
        const told = this.#takeBack(partitions)
        this.#committer.forget(partitions)
        if (told.length > 0) this.#listener!.lost(told)
      },
      problem: problem => {
        if (problem === undefined) problems.clear('group')
        else problems.suspect('group', problem)
      }
    }
  }

  /** Ends reading. Only partitions that the listener was given are taken back from it. */
  #takeBack(partitions: readonly number[]): TopicPartition[] {
    const unheard = this.#starter.cancel(partitions)
    for (const partition of partitions) this.#fetcher.remove(partition)
    return partitions
      .filter(partition => !unheard.has(partition))
      .map(partition => ({ topic: this.#options.topic, partition }))
  }

  #started(partitions: readonly StartedPartition[]): void {
    this.#listener!.assigned(partitions.map(({ assigned }) => assigned))
    for (const { assigned, leaderEpoch } of partitions) {
      const { topic, partition, startOffset } = assigned
      this.#fetcher.add({ topic, partition }, startOffset, leaderEpoch)
    }
    this.#fetcher.pump()
  }

  async #resetOffset(partition: number, reason: ResetReason): Promise<number | undefined> {
    const topic = this.#watch.topic
    if (topic === undefined) return undefined
    const { startingPosition } = this.#options
    const timestamp = reason === 'recreated' ? listAt.earliest : resetTimestamp(startingPosition)
    const wanted = new Map([[partition, timestamp]])
    const to = (await listOffsets(this.#cluster, topic, wanted)).get(partition)
    return typeof to === 'number' && to >= 0 ? to : undefined
  }
}

/** In KIP-848's protocol sessions are the brokers' affair, and `sessionTimeoutMs` is not theirs. */
function openMember(
  choice: GroupProtocolChoice,
  sessionTimeoutMs: number,
  options: MemberOptions,
  deps: ConsumerProtocolDeps
): GroupProtocol {
  const classic = () => new ClassicMember({ ...options, sessionTimeoutMs }, deps)
  switch (choice) {
    case 'classic':
      return classic()
    case 'consumer':
      return new ConsumerProtocolMember(options, deps)
    case 'auto': {
      const consumer = (refused: (why: string) => void) => new ConsumerProtocolMember(options, { ...deps, refused })
      return new NegotiatedMember({ consumer, classic }, deps.log)
    }
    default:
      throw new Error(`no group protocol for ${choice satisfies never}`)
  }
}
