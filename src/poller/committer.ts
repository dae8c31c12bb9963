import { encodeProgress, maxMetadataBytes } from '../core/offsets/metadata.ts'
import type { CommitOffset, Consumer } from '../ports/consumer.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { type CommitMessage, offsetsCommitted } from './channels.ts'
import type { Counters } from './counters.ts'
import type { OwnedPartition } from './owned-partitions.ts'

/** At most one commit per group and second in steady state; at once on revocation and stop. */
export const commitIntervalMs = 1_000

/** Gathers what can be committed. One request is under way at a time, so that an older answer never overtakes a newer one. */
export class Committer {
  readonly #mapping: string
  readonly #consumer: Consumer
  readonly #clock: Clock
  readonly #log: Log
  readonly #counters: Counters
  readonly #partitions: () => Iterable<OwnedPartition>
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(
    mapping: string,
    consumer: Consumer,
    clock: Clock,
    log: Log,
    counters: Counters,
    partitions: () => Iterable<OwnedPartition>
  ) {
    this.#counters = counters
    this.#mapping = mapping
    this.#consumer = consumer
    this.#clock = clock
    this.#log = log
    this.#partitions = partitions
  }

  /** Something was settled: commit within the interval. */
  note(): void {
    if (this.#stopped) return
    this.#cancelTimer ??= this.#clock.after(commitIntervalMs, () => {
      this.#cancelTimer = undefined
      void this.flush([...this.#partitions()])
    })
  }

  /** Commits now what `partitions` have settled. Resolves also when Kafka did not take it; false then. */
  flush(partitions: readonly OwnedPartition[]): Promise<boolean> {
    const turn = this.#running.then(() => this.#commit(partitions))
    this.#running = turn.then(() => undefined)
    return turn
  }

  stop(): void {
    this.#stopped = true
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  async #commit(partitions: readonly OwnedPartition[]): Promise<boolean> {
    // A partition that has gone belongs to somebody else: committing would overrule its new owner.
    const now = partitions.flatMap(owned => {
      const metadata = this.#metadataOf(owned)
      const isNews = owned.ledger.committable > owned.committed || metadata !== owned.committedMetadata
      return !owned.lane.closed && isNews ? [{ owned, metadata, cuts: owned.cuts }] : []
    })
    if (now.length === 0) return true
    const offsets: CommitOffset[] = now.map(({ owned: { topic, partition, ledger }, metadata }) => ({
      topic,
      partition,
      offset: ledger.committable,
      ...(metadata === '' ? {} : { metadata })
    }))
    try {
      await this.#consumer.commit(offsets)
    } catch (error) {
      this.#counters.add('CommitErrorCount', 1)
      this.#log.warn({ err: error, offsets }, 'commit was not taken; it is tried again')
      this.note()
      return false
    }
    offsets.forEach(({ offset }, index) => {
      const { owned, metadata, cuts } = now[index]!
      // A log that was cut meanwhile is committed anew, further back.
      if (owned.cuts !== cuts) return
      if (owned.committed >= 0) this.#counters.add('CommittedEventCount', Math.max(0, offset - owned.committed))
      owned.committed = Math.max(owned.committed, offset)
      owned.committedMetadata = metadata
    })
    if (offsetsCommitted.hasSubscribers) {
      offsetsCommitted.publish({ mapping: this.#mapping, offsets } satisfies CommitMessage)
    }
    return true
  }

  /** Work is held back before what there is to say grows too long; should it have, a restart repeats what was finished. */
  #metadataOf(owned: OwnedPartition): string {
    const metadata = encodeProgress(owned.progress)
    if (metadata.length <= maxMetadataBytes) return metadata
    this.#log.error(
      { partition: owned.partition, bytes: metadata.length },
      'progress does not fit into the commit: what is finished above the committed offset would be repeated by a new owner'
    )
    return ''
  }
}
