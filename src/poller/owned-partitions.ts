import { Lane } from '../core/batch/lane.ts'
import { OffsetLedger } from '../core/offsets/ledger.ts'
import { decodeProgress } from '../core/offsets/metadata.ts'
import type { Progress } from '../core/offsets/progress.ts'
import {
  type Block,
  type Slice,
  sliceOffsets,
  slicePayloadBytes,
  sliceRecords,
  type TopicPartition
} from '../core/record.ts'
import type { AssignedPartition } from '../ports/consumer.ts'
import type { MemoryAccount } from './memory-budget.ts'

/** What a record costs beside its payload: its row of positions, offset and timestamp. */
const rowBytes = 40

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
  readonly #memory: MemoryAccount
  /** Where the log was cut while this was ours. */
  readonly #cuts: number[] = []
  /** Of what an earlier owner told; -1: it is not known, or there is nothing. */
  readonly #epochBefore: number
  /** The newest of the blocks that have come, or had come to an earlier owner; -1: not known. */
  #newestEpoch: number
  /** Of blocks that were fetched after a cut: after how many. */
  readonly #cutsBefore = new WeakMap<Block, number>()

  constructor({ topic, partition, startOffset, fresh, metadata }: AssignedPartition, memory: MemoryAccount) {
    this.#memory = memory
    this.topic = topic
    this.partition = partition
    this.lane = new Lane(topic, partition)
    const before = fresh ? undefined : decodeProgress(metadata, startOffset)
    this.ledger = new OffsetLedger(startOffset, before)
    this.#epochBefore = this.#newestEpoch = before?.leaderEpoch ?? -1
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

  /** What the next owner has to know, with the offset to commit. */
  get progress(): Progress {
    const progress = this.ledger.progress()
    return this.#newestEpoch < 0 ? progress : { ...progress, leaderEpoch: this.#newestEpoch }
  }

  /** Takes what of the block an earlier owner has not finished. `now`: monotonic. */
  receive(block: Block, now: number): void {
    // Written after an earlier owner told of these offsets: it meant other records, which the log has lost.
    if (this.awaitsMore && this.#epochBefore >= 0 && block.leaderEpoch > this.#epochBefore) this.awaitNoMore()
    this.#newestEpoch = Math.max(this.#newestEpoch, block.leaderEpoch)
    if (block.offsets[0]! < this.ledger.doneBefore) block.retain(record => !this.ledger.wasDone(block.offsets[record]!))
    if (block.count === 0) this.ledger.skipped(block.nextOffset)
    else {
      const slice = { block, from: 0, to: block.count }
      if (this.#cuts.length > 0) this.#cutsBefore.set(block, this.#cuts.length)
      this.ledger.fetched(block.offsets[0]!, block.nextOffset)
      this.#hold(heldBytesOf(slice))
      this.lane.add(slice, now)
    }
    this.#resumeIfWhole()
  }

  /** Nothing below `nextOffset` is left to deliver, beside what was fetched before. */
  skip(nextOffset: number): void {
    this.ledger.skipped(nextOffset)
    this.#resumeIfWhole()
  }

  /** An earlier owner told of offsets that have not been read yet. */
  get awaitsMore(): boolean {
    return this.lane.resume?.complete === false || this.ledger.doneBefore > this.ledger.next
  }

  /** The log ends here: what an earlier owner told of what lies above was of another log. */
  awaitNoMore(): void {
    this.ledger.cut(this.ledger.next)
    this.#resumeAnew()
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
    this.#resumeAnew()
  }

  #resumeAnew(): void {
    if (this.lane.resume === undefined) return
    const { pieces } = this.ledger.progress()
    this.lane.resume = pieces.length === 0 ? undefined : { pieces, until: pieces.at(-1)!.next, complete: false }
  }

  /** The slice is not ours to finish any more: only its memory is freed. */
  forget(slice: Slice): void {
    this.#hold(-heldBytesOf(slice))
    slice.block.finish(sliceRecords(slice))
  }

  #hold(bytes: number): void {
    this.heldBytes += bytes
    this.#memory.records(bytes)
  }
}

/**
 * The partitions a poller owns, and their shares of its memory. A partition over its share is left out of the next
 * fetch until half of the share is free again, so that it is neither refused nor asked for a few records at a time.
 */
export class OwnedPartitions {
  readonly #memory: MemoryAccount
  readonly #byKey = new Map<string, OwnedPartition>()
  /** Lanes outlive their ownership: a call in flight still finishes its slices. */
  readonly #byLane = new WeakMap<Lane, OwnedPartition>()
  readonly #full = new Set<OwnedPartition>()

  constructor(memory: MemoryAccount) {
    this.#memory = memory
  }

  add(assigned: AssignedPartition): OwnedPartition {
    const owned = new OwnedPartition(assigned, this.#memory)
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
    if (owned.heldBytes >= this.#memory.partitionBytes && !isResuming(owned)) this.#full.add(owned)
  }

  /** Something has shrunk; true when a partition may be fetched again that might not just now. */
  shrank(): boolean {
    const enoughBytes = this.#memory.partitionBytes / 2
    let any = false
    for (const owned of this.#full)
      if (owned.heldBytes === 0 || owned.heldBytes < enoughBytes) any = this.#full.delete(owned)
    return any
  }

  wants(partition: TopicPartition): boolean {
    const owned = this.get(partition)
    if (owned === undefined || owned.lane.leaving || this.#full.has(owned)) return false
    if (isResuming(owned) || this.#memory.hasRoomFor('fetch')) return true
    this.#memory.wait('fetch')
    return false
  }

  /** Something is not fetched although none of its records is on the way: to wait for a window would gain nothing. */
  get short(): boolean {
    if (!this.#memory.hasRoomFor('fetch')) return true
    for (const { lane } of this.#full) if (!lane.busy) return true
    return false
  }
}

/** What is resumed goes out only when all of it is here: an earlier owner had room for it. */
const isResuming = ({ lane }: OwnedPartition): boolean => lane.resume?.complete === false
