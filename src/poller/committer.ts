import type { CommitOffset, Consumer } from '../ports/consumer.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { type CommitMessage, offsetsCommitted } from './channels.ts'
import type { OwnedPartition } from './owned-partitions.ts'

/** At most one commit per group and second in steady state; at once on revocation and stop. */
export const commitIntervalMs = 1_000

/** Gathers what can be committed. One request is under way at a time, so that an older answer never overtakes a newer one. */
export class Committer {
  readonly #mapping: string
  readonly #consumer: Consumer
  readonly #clock: Clock
  readonly #log: Log
  readonly #partitions: () => Iterable<OwnedPartition>
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(mapping: string, consumer: Consumer, clock: Clock, log: Log, partitions: () => Iterable<OwnedPartition>) {
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
    const due = partitions.filter(({ lane, ledger, committed }) => !lane.closed && ledger.committable > committed)
    if (due.length === 0) return true
    const cuts = due.map(owned => owned.cuts)
    const offsets: CommitOffset[] = due.map(({ topic, partition, ledger }) => ({
      topic,
      partition,
      offset: ledger.committable
    }))
    try {
      await this.#consumer.commit(offsets)
    } catch (error) {
      this.#log.warn({ err: error, offsets }, 'commit was not taken; it is tried again')
      this.note()
      return false
    }
    offsets.forEach(({ offset }, index) => {
      const owned = due[index]!
      // A log that was cut meanwhile is committed anew, further back.
      if (offset > owned.committed && owned.cuts === cuts[index]) owned.committed = offset
    })
    if (offsetsCommitted.hasSubscribers) {
      offsetsCommitted.publish({ mapping: this.#mapping, offsets } satisfies CommitMessage)
    }
    return true
  }
}
