import { Lane } from '../core/batch/lane.ts'
import { OffsetLedger } from '../core/offsets/ledger.ts'
import { decodeProgress } from '../core/offsets/metadata.ts'
import {
  type Block,
  type Slice,
  sliceOffsets,
  slicePayloadBytes,
  sliceRecords,
  type TopicPartition
} from '../core/record.ts'
import type { AssignedPartition } from '../ports/consumer.ts'

/** What a record costs beside its payload: its row of positions, offset and timestamp. */
const rowBytes = 40
/** A partition may hold this much however small its share of the budget is: a fetch brings about as much. */
const leastShareBytes = 1024 * 1024

const heldBytesOf = (slice: Slice): number => slicePayloadBytes(slice) + sliceRecords(slice) * rowBytes
const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

/** A partition that is ours: its queue, what it owes, and what it holds in memory. */
export class OwnedPartition implements TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly lane: Lane
  readonly ledger: OffsetLedger
  /** What Kafka has accepted, so that a commit is sent only when it says something new. */
  committed: number
  committedMetadata: string
  /** Fetched and unfinished. */
  heldBytes = 0
  /** Where the log was cut while this was ours. */
  readonly #cuts: number[] = []
  /** Of blocks that were fetched after a cut: after how many. */
  readonly #cutsBefore = new WeakMap<Block, number>()

  constructor({ topic, partition, startOffset, fresh, metadata }: AssignedPartition) {
    this.topic = topic
    this.partition = partition
    this.lane = new Lane(topic, partition)
    const before = fresh ? undefined : decodeProgress(metadata, startOffset)
    this.ledger = new OffsetLedger(startOffset, before)
    this.committed = startOffset
    // What somebody else wrote says nothing to us, and is left as it is until there is something to say.
    this.committedMetadata = before === undefined ? '' : (metadata ?? '')
    const pieces = before?.pieces ?? []
    if (pieces.length > 0) this.lane.resume = { pieces, until: pieces.at(-1)!.next, complete: false }
  }

  /** How often the log was cut while this was ours. */
  get cuts(): number {
    return this.#cuts.length
  }

  /** Takes what of the block an earlier owner has not finished. `now`: monotonic. */
  receive(block: Block, now: number): void {
    if (block.offsets[0]! < this.ledger.doneBefore) block.retain(record => !this.ledger.wasDone(block.offsets[record]!))
    if (block.count === 0) this.ledger.skipped(block.nextOffset)
    else {
      const slice = { block, from: 0, to: block.count }
      if (this.#cuts.length > 0) this.#cutsBefore.set(block, this.#cuts.length)
      this.ledger.fetched(block.offsets[0]!, block.nextOffset)
      this.heldBytes += heldBytesOf(slice)
      this.lane.add(slice, now)
    }
    this.#resumeIfWhole()
  }

  /** Nothing below `nextOffset` is left to deliver, beside what was fetched before. */
  skip(nextOffset: number): void {
    this.ledger.skipped(nextOffset)
    this.#resumeIfWhole()
  }

  /** All that an earlier owner left unfinished is here, or has gone from the log. */
  #resumeIfWhole(): void {
    const { resume } = this.lane
    if (resume === undefined || resume.complete || this.ledger.next < resume.until) return
    if (this.lane.holdsBelow(resume.until)) this.lane.resume = { ...resume, complete: true }
    else this.lane.resume = undefined
  }

  /** Done with a slice for good: it may be committed past, and its memory used again. */
  settle(slice: Slice): void {
    if (!this.lane.closed) {
      const { first, next } = sliceOffsets(slice)
      const valid = Math.min(next, this.#cutAt(slice.block))
      if (first < valid) this.ledger.settled(first, valid)
    }
    this.forget(slice)
  }

  /** What a batch could not hold goes back to the head of the lane, but for what the log has lost since. */
  putBack(slices: readonly Slice[], arrivedAt: number): void {
    const whole: Slice[] = []
    for (const slice of slices) {
      const { block, from, to } = slice
      const cutAt = this.#cutAt(block)
      let end = to
      while (end > from && block.offsets[end - 1]! >= cutAt) end--
      if (end > from) whole.push({ block, from, to: end })
      if (end < to) this.forget({ block, from: end, to })
    }
    this.lane.putBack(whole, arrivedAt)
  }

  /** Where the log was cut, lowest, since the block was fetched. */
  #cutAt(block: Block): number {
    return Math.min(...this.#cuts.slice(this.#cutsBefore.get(block) ?? 0))
  }

  /**
   * The log ends at `offset` now, and what comes there is other records. What waits below goes on; what is out above
   * settles nothing.
   */
  cut(offset: number): void {
    this.#cuts.push(offset)
    this.ledger.cut(offset)
    for (const slice of this.lane.cut(offset)) this.forget(slice)
    // Else the group would go on above records that it has not seen when the log has grown again. Whatever was accepted
    // before: a commit from above the cut may still be on its way.
    this.committed = -1
    const { resume } = this.lane
    if (resume !== undefined) {
      const { pieces } = this.ledger.progress()
      this.lane.resume = pieces.length === 0 ? undefined : { pieces, until: pieces.at(-1)!.next, complete: false }
    }
  }

  /** The slice is not ours to finish any more: only its memory is freed. */
  forget(slice: Slice): void {
    this.heldBytes -= heldBytesOf(slice)
    slice.block.finish(sliceRecords(slice))
  }
}

/**
 * The partitions a poller owns, and their shares of its memory budget. A partition over its share is left out of the next
 * fetch until half of the share is free again, so that it is neither refused nor asked for a few records at a time.
 */
export class OwnedPartitions {
  readonly #budgetBytes: number
  readonly #byKey = new Map<string, OwnedPartition>()
  /** Lanes outlive their ownership: a call in flight still finishes its slices. */
  readonly #byLane = new WeakMap<Lane, OwnedPartition>()
  readonly #full = new Set<OwnedPartition>()

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes
  }

  add(assigned: AssignedPartition): OwnedPartition {
    const owned = new OwnedPartition(assigned)
    this.#byKey.set(keyOf(assigned), owned)
    this.#byLane.set(owned.lane, owned)
    return owned
  }

  get(partition: TopicPartition): OwnedPartition | undefined {
    return this.#byKey.get(keyOf(partition))
  }

  find(partitions: readonly TopicPartition[]): OwnedPartition[] {
    return partitions.flatMap(partition => this.get(partition) ?? [])
  }

  owner(lane: Lane): OwnedPartition {
    const owned = this.#byLane.get(lane)
    if (owned === undefined) throw new Error(`no owner of lane ${lane.topic}-${lane.partition}`)
    return owned
  }

  all(): OwnedPartition[] {
    return [...this.#byKey.values()]
  }

  /** From here on nothing of the partition is settled. */
  close(owned: OwnedPartition): void {
    owned.lane.leaving = true
    owned.lane.closed = true
    this.#full.delete(owned)
    if (this.get(owned) === owned) this.#byKey.delete(keyOf(owned))
  }

  /** The partition has grown. */
  grew(owned: OwnedPartition): void {
    // What is resumed goes out only when all of it is here: an earlier owner had room for it.
    if (owned.heldBytes >= this.#shareBytes && owned.lane.resume?.complete !== false) this.#full.add(owned)
  }

  /** The partition has shrunk; true when it may be fetched again although it was not just now. */
  shrank(owned: OwnedPartition): boolean {
    return owned.heldBytes < this.#shareBytes / 2 && this.#full.delete(owned)
  }

  wants(partition: TopicPartition): boolean {
    const owned = this.get(partition)
    return owned !== undefined && !owned.lane.leaving && !this.#full.has(owned)
  }

  /** A partition is not fetched although none of its records is on the way: to wait for its window would gain nothing. */
  get short(): boolean {
    for (const { lane } of this.#full) if (!lane.busy) return true
    return false
  }

  get #shareBytes(): number {
    return Math.max(leastShareBytes, this.#budgetBytes / Math.max(1, this.#byKey.size))
  }
}
