import { retryDelayMs } from '../../src/adapters/kafka/retry-delay.ts'
import type { Block, TopicPartition } from '../../src/core/record.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { AssignedPartition, CommitOffset, Consumer, ConsumerListener } from '../../src/ports/consumer.ts'
import type { Broker } from './broker.ts'
import { FetcherModel } from './fetcher-model.ts'
import type { GroupAnswer } from './group.ts'
import { MemberModel, type MemberSettings } from './member-model.ts'
import type { Network } from './network.ts'
import type { Commit, LogBatch, SimRecord } from './partition-log.ts'
import { topic } from './sim-block.ts'
import type { Life } from './virtual-time.ts'

export interface ConsumerSettings extends MemberSettings {
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
  /** Makes a block of what was fetched of a batch. */
  receive(batch: LogBatch, records: readonly SimRecord[]): Block
}

const stopCommitTimeoutMs = 5_000

/**
 * The consumer of `src/adapters/kafka/` as its listener sees it: partitions are told as assigned after their offsets were
 * read, a revocation is awaited up to its deadline, nothing is fetched of what was taken back.
 */
export class SimConsumer implements Consumer {
  readonly #settings: ConsumerSettings
  readonly #deps: ConsumerDeps
  readonly #member: MemberModel
  readonly #fetcher: FetcherModel
  readonly #starting = new Set<number>()
  #listener!: ConsumerListener
  /** What was asked for before a stop is not tried for longer than this. */
  #hurryMs = Infinity
  /** How often each partition was lost: a commit that was under way then is not sent again. */
  readonly #losses = new Map<number, number>()
  #seeking = false
  #stopped = false

  constructor(settings: ConsumerSettings, deps: ConsumerDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#fetcher = new FetcherModel(settings, deps, () => this.#listener)
    this.#member = new MemberModel(settings, {
      ...deps,
      events: {
        gained: partitions => this.#begin(partitions),
        revoked: async partitions => {
          const told = this.#takeBack(partitions)
          if (told.length > 0) await this.#listener.revoked(told)
        },
        lost: partitions => {
          const told = this.#takeBack(partitions)
          for (const partition of partitions) this.#losses.set(partition, this.#lossesOf(partition) + 1)
          if (told.length > 0) this.#listener.lost(told)
        }
      }
    })
  }

  start(listener: ConsumerListener): void {
    this.#listener = listener
    this.#member.start()
  }

  async commit(offsets: readonly CommitOffset[]): Promise<void> {
    const { broker, network, life, clock, name } = this.#deps
    const { commitTimeoutMs } = this.#settings
    const askedMs = clock.monotonicMs()
    const stopping = this.#stopped
    const deadlineMs = () =>
      stopping ? askedMs + stopCommitTimeoutMs : Math.min(askedMs + commitTimeoutMs, this.#hurryMs)
    const losses = offsets.map(({ partition }) => this.#lossesOf(partition))
    for (let tries = 0; ; tries++) {
      const stranger = offsets.find(
        ({ partition }, index) => !this.#member.owns(partition) || this.#lossesOf(partition) !== losses[index]
      )
      if (stranger !== undefined) throw new Error(`partition ${stranger.partition} is not assigned to this consumer`)
      const used = this.#member.identity
      if (used !== undefined) {
        const send = (reply: (answer: GroupAnswer) => void) =>
          broker.commit(name, used.memberId, used.generation, offsets, reply)
        const answer = await network.call(life, send, 500).catch(() => undefined)
        if (answer === 'fine') return
        if (answer === 'refused') throw new Error('not authorized to commit')
        if (answer === 'too-large') throw new Error('the metadata of the commit is larger than the broker takes')
        const now = this.#member.identity
        const movedOn = now?.generation !== used.generation || now.memberId !== used.memberId
        if (answer !== undefined && !movedOn && !this.#member.settling) {
          this.#member.suspect()
          throw new Error(`commit refused: ${answer}`)
        }
      }
      if (clock.monotonicMs() >= deadlineMs()) throw new Error('Kafka did not take the commit in time')
      await this.#pause(retryDelayMs(tries, clock.chance(), 50, 1_000))
    }
  }

  #lossesOf(partition: number): number {
    return this.#losses.get(partition) ?? 0
  }

  get inDoubt(): boolean {
    return this.#member.identity !== undefined && this.#member.unheard
  }

  resume(): void {
    this.#fetcher.pump()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#hurryMs = this.#deps.clock.monotonicMs() + stopCommitTimeoutMs
    this.#fetcher.stop()
    await this.#member.stop()
  }

  /** The log may answer now what it could not before. */
  #begin(partitions: readonly number[]): void {
    for (const partition of partitions) this.#starting.add(partition)
    if (!this.#seeking) void this.#seek()
  }

  async #seek(): Promise<void> {
    const { network, life, broker, clock } = this.#deps
    this.#seeking = true
    for (let tries = 0; this.#starting.size > 0 && !this.#stopped; tries++) {
      try {
        const wanted = [...this.#starting]
        const committed = await network.call<readonly Commit[]>(
          life,
          reply => reply(wanted.map(partition => broker.logs[partition]!.commit)),
          1_000
        )
        this.#tell(wanted, committed, false)
        const fresh = wanted.filter((partition, index) => committed[index]!.offset < 0 && this.#starting.has(partition))
        if (fresh.length === 0) continue
        const starts = await network.call<readonly number[]>(
          life,
          reply => reply(fresh.map(partition => this.#startOf(partition))),
          1_000
        )
        const found = fresh.flatMap((partition, index) =>
          this.#starting.has(partition) ? [{ topic, partition, offset: starts[index]! }] : []
        )
        if (found.length === 0) continue
        // Where the group begins is its user's choice: what lies before is nobody's loss.
        for (const { partition, offset } of found) broker.logs[partition]!.excuse(0, offset)
        await this.commit(found)
        this.#tell(
          found.map(({ partition }) => partition),
          found.map(({ offset }) => ({ offset, metadata: '' })),
          true
        )
      } catch {
        await this.#pause(retryDelayMs(tries, clock.chance(), 50, 2_000))
      }
    }
    this.#seeking = false
  }

  #startOf(partition: number): number {
    const log = this.#deps.broker.logs[partition]!
    return this.#settings.startingPosition === 'TRIM_HORIZON' ? log.start : log.end
  }

  #tell(partitions: readonly number[], commits: readonly Pick<Commit, 'offset' | 'metadata'>[], fresh: boolean): void {
    const assigned = partitions.flatMap((partition, index): AssignedPartition[] => {
      const { offset: startOffset, metadata } = commits[index]!
      if (startOffset < 0 || !this.#starting.delete(partition)) return []
      return [{ topic, partition, startOffset, fresh, ...(metadata === '' ? {} : { metadata }) }]
    })
    if (assigned.length === 0 || this.#stopped) return
    this.#listener.assigned(assigned)
    for (const { partition, startOffset } of assigned) this.#fetcher.add(partition, startOffset)
    this.#fetcher.pump()
  }

  /** Only partitions that the listener was given are taken back from it. */
  #takeBack(partitions: readonly number[]): TopicPartition[] {
    const unheard = new Set(partitions.filter(partition => this.#starting.delete(partition)))
    for (const partition of partitions) this.#fetcher.remove(partition)
    return partitions.filter(partition => !unheard.has(partition)).map(partition => ({ topic, partition }))
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      this.#deps.clock.after(delayMs, resolve)
    })
  }
}
