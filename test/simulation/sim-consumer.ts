import { Committer } from '../../src/adapters/kafka/committer.ts'
import { ConsumerProtocolMember } from '../../src/adapters/kafka/consumer-protocol-member.ts'
import { CoordinatorFinder } from '../../src/adapters/kafka/coordinator.ts'
import { Doubt } from '../../src/adapters/kafka/doubt.ts'
import type { GroupEvents, GroupProtocol } from '../../src/adapters/kafka/group-protocol.ts'
import { ClassicMember } from '../../src/adapters/kafka/member.ts'
import { NegotiatedMember } from '../../src/adapters/kafka/negotiated-member.ts'
import type { ProblemBoard } from '../../src/adapters/kafka/problems.ts'
import { type StartedPartition, Starter } from '../../src/adapters/kafka/starter.ts'
import type { TopicWatch } from '../../src/adapters/kafka/topic-watch.ts'
import { silentLog } from '../../src/adapters/log/silent.ts'
import type { Block, TopicPartition } from '../../src/core/record.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { CommitOffset, Consumer, ConsumerListener } from '../../src/ports/consumer.ts'
import type { Broker } from './broker.ts'
import { FetcherModel } from './fetcher-model.ts'
import type { GroupPlan } from './kafka-plan.ts'
import type { Network } from './network.ts'
import type { LogBatch, SimRecord } from './partition-log.ts'
import { topic } from './sim-block.ts'
import { SimCluster } from './sim-cluster.ts'
import type { Life } from './virtual-time.ts'

export interface ConsumerSettings {
  readonly protocol: GroupPlan['protocol']
  readonly negotiates: boolean
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** A listener that takes longer than this to give partitions up is not waited for. */
  readonly revokeTimeoutMs: number
  readonly startingPosition: 'TRIM_HORIZON' | 'LATEST'
  /** A commit that Kafka has not taken by then is rejected. */
  readonly commitTimeoutMs: number
  readonly fetchMaxWaitMs: number
}

export interface ConsumerDeps {
  readonly name: string
  readonly broker: Broker
  readonly network: Network
  readonly life: Life
  readonly clock: Clock
  /** The coordinator has answered what the member said at `sentMs`. */
  answered(code: number, sentMs: number): void
  commitAnswered(code: number): void
  /** Makes a block of what was fetched of a batch. */
  receive(batch: LogBatch, records: readonly SimRecord[]): Block
}

const groupId = 'group-1'
const stopCommitTimeoutMs = 5_000

/**
 * The consumer of `src/adapters/kafka/kafka-consumer.ts` without a wire: its members, committer, starter and finder of the
 * coordinator are the real ones, put together in the same order; they ask a model of Kafka (`SimCluster`). Models are the
 * fetcher (`FetcherModel`) and the metadata, which is read when somebody asks for it. Not here: static members, followers and leaders of partitions that move.
 */
export class SimConsumer implements Consumer {
  readonly #cluster: SimCluster
  readonly #member: GroupProtocol
  readonly #committer: Committer
  readonly #starter: Starter
  readonly #fetcher: FetcherModel
  /** What was asked to be committed, by what the request says of it. */
  readonly #asked = new Map<string, CommitOffset>()
  readonly #doubt: Doubt
  #listener!: ConsumerListener
  #stopped: Promise<void> | undefined

  constructor(settings: ConsumerSettings, deps: ConsumerDeps) {
    const { clock } = deps
    const { protocol, sessionTimeoutMs, rebalanceTimeoutMs, revokeTimeoutMs, startingPosition } = settings
    this.#fetcher = new FetcherModel(settings, deps, () => this.#listener)
    const simulated = new SimCluster({
      ...deps,
      commitOf: (...commit) => this.#commitOf(...commit),
      answered: (...answer) => deps.answered(...answer),
      commitAnswered: code => deps.commitAnswered(code)
    })
    this.#cluster = simulated
    const cluster = simulated.asCluster
    const coordinator = new CoordinatorFinder(cluster, groupId)
    const watch = watchOf(simulated)
    const log = silentLog
    const memberOptions = {
      groupId,
      topic,
      instanceId: null,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      revokeTimeoutMs,
      metadataMaxAgeMs: 30_000
    }
    const memberDeps = { cluster, coordinator, clock, log, events: this.#groupEvents() }
    const topicDeps = { topic: { id: () => watch.topic?.id, refresh: () => watch.refresh() } }
    const classic = () => new ClassicMember(memberOptions, memberDeps)
    const consumer = (refused?: (why: string) => void) =>
      new ConsumerProtocolMember(memberOptions, {
        ...memberDeps,
        ...topicDeps,
        ...(refused === undefined ? {} : { refused })
      })
    if (settings.negotiates) this.#member = new NegotiatedMember({ consumer, classic }, log)
    else this.#member = protocol === 'classic' ? classic() : consumer()
    this.#doubt = new Doubt(this.#member, clock)
    this.#committer = new Committer(topic, settings.commitTimeoutMs, {
      cluster,
      coordinator,
      group: this.#member,
      clock,
      log,
      leaderEpoch: () => -1
    })
    const options = {
      cluster: { bootstrapServers: ['broker:0'] },
      topic,
      groupId,
      clientId: deps.name,
      startingPosition: { kind: startingPosition },
      drainMs: 0
    }
    this.#starter = new Starter(options, {
      cluster,
      coordinator,
      committer: this.#committer,
      group: this.#member,
      watch,
      clock,
      log,
      problems: noProblems,
      started: partitions => this.#started(partitions)
    })
  }

  start(listener: ConsumerListener): void {
    this.#listener = listener
    void this.#starter.readHistory().then(() => {
      if (this.#stopped === undefined) this.#member.start()
    })
  }

  commit(offsets: readonly CommitOffset[]): Promise<void> {
    for (const commit of offsets) this.#asked.set(keyOf(commit), commit)
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
    await this.#member.stop()
    this.#committer.stop()
    this.#cluster.close()
    await Promise.all([this.#member.ended, this.#starter.ended])
  }

  #groupEvents(): GroupEvents {
    return {
      gained: partitions => {
        if (partitions.length === 0) this.#listener.assigned([])
        else this.#starter.begin(partitions)
      },
      revoked: async partitions => {
        const told = this.#takeBack(partitions)
        if (told.length > 0) await this.#listener.revoked(told)
      },
      lost: partitions => {
        const told = this.#takeBack(partitions)
        this.#committer.forget(partitions)
        if (told.length > 0) this.#listener.lost(told)
      },
      problem: () => undefined
    }
  }

  /** Only partitions that the listener was given are taken back from it. */
  #takeBack(partitions: readonly number[]): TopicPartition[] {
    const unheard = this.#starter.cancel(partitions)
    for (const partition of partitions) this.#fetcher.remove(partition)
    return partitions.filter(partition => !unheard.has(partition)).map(partition => ({ topic, partition }))
  }

  #started(partitions: readonly StartedPartition[]): void {
    this.#listener.assigned(partitions.map(({ assigned }) => assigned))
    for (const { assigned } of partitions) this.#fetcher.add(assigned.partition, assigned.startOffset)
    this.#fetcher.pump()
  }

  /** What the poller asked for, or the consumer itself where it begins. */
  #commitOf(partition: number, offset: number, metadata: string): CommitOffset {
    const commit = { topic, partition, offset, ...(metadata === '' ? {} : { metadata }) }
    return this.#asked.get(keyOf(commit)) ?? commit
  }
}

const keyOf = ({ partition, offset, metadata = '' }: CommitOffset): string => `${partition} ${offset} ${metadata}`

const noProblems = { clear: () => undefined, suspect: () => undefined } as unknown as ProblemBoard

/** The topic as it was when somebody last asked for it to be read again. */
function watchOf(cluster: SimCluster): TopicWatch {
  const watch = {
    topic: cluster.topic,
    cameLater: false,
    refresh: () => {
      void cluster.topics().then(
        found => {
          watch.topic = found.get(topic)!
        },
        () => undefined
      )
    }
  }
  return watch as unknown as TopicWatch
}
