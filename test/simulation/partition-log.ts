import { type Debt, noDebt } from './debt.ts'

/** What the group has committed of a partition. */
export interface Commit {
  /** -1: nothing. */
  readonly offset: number
  readonly metadata: string
  /** What whoever committed it owed then beside. */
  readonly debt: Debt
}

/** One record the function has to see, with all that the checker knows of it. */
export interface SimRecord {
  /** Number of the record in the whole run; its timestamp says it. */
  readonly id: number
  readonly timestamp: number
  readonly partition: number
  readonly offset: number
  readonly valueBytes: number
  /** Its place among the records of its log. */
  readonly index: number
  /** A call that contained it succeeded, or it was dropped and an event said so. */
  done: boolean
  /** It was given up as too large, and an event said so. */
  dropped: boolean
  /** Gone from the log: retention, compaction or truncation. */
  gone: boolean
  /** A jump that was told passed over it. */
  excused: boolean
  /** Its offset had been another record's, and not everybody knows yet: it may be passed over. */
  missable: boolean
  /** An event has explained why it may be delivered once more. */
  mayRepeat: boolean
  /** Calls with it whose answer is still out, whoever made them. */
  inFlight: number
  /** How often the destination took it, or an event said that it was dropped. */
  told: number
  /** Deliveries to the destination that are under way. */
  tellings: number
  /** An event has explained why it may be told of once more. */
  mayTellAgain: boolean
  /** Calls with it that ran and failed, since something happened after which some may be made again. */
  failures: number
}

/** What one append wrote: its records, or none when it is a control batch, an aborted transaction or compacted empty. */
export interface LogBatch {
  readonly first: number
  readonly next: number
  records: SimRecord[]
}

/** The log of one partition: batches with gaps, and what retention, compaction and truncation do to it. */
export class PartitionLog {
  readonly partition: number
  commit: Commit = { offset: -1, metadata: '', debt: noDebt }
  start = 0
  end = 0
  #batches: LogBatch[] = []
  /** Every record that was not cut off, in order. */
  readonly records: SimRecord[] = []
  #frontier = 0
  /** Below this an offset may have meant another record before. */
  reusedBelow = 0
  #missableBelow = 0

  constructor(partition: number) {
    this.partition = partition
  }

  /** One batch of records; `gaps` says after which of them an offset is left out. */
  append(
    ids: readonly number[],
    valueBytes: (id: number) => number,
    timestamp: (id: number) => number,
    gap: () => number
  ): void {
    const first = this.end
    const records = ids.map(id => {
      const offset = this.end
      this.end += 1 + gap()
      const record: SimRecord = {
        id,
        timestamp: timestamp(id),
        partition: this.partition,
        offset,
        valueBytes: valueBytes(id),
        index: this.records.length,
        done: false,
        gone: false,
        excused: false,
        missable: offset < this.#missableBelow,
        mayRepeat: false,
        dropped: false,
        inFlight: 0,
        told: 0,
        tellings: 0,
        mayTellAgain: false,
        failures: 0
      }
      this.records.push(record)
      return record
    })
    this.#batches.push({ first, next: this.end, records })
  }

  /** Offsets that hold nothing to deliver: a transaction marker, an aborted transaction. */
  burn(offsets: number): void {
    const first = this.end
    this.end += offsets
    this.#batches.push({ first, next: this.end, records: [] })
  }

  /** At most `batches` batches from `offset` on; undefined when the log does not have it. */
  read(offset: number, batches: number): readonly LogBatch[] | undefined {
    if (offset < this.start || offset > this.end) return undefined
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#batches[middle]!.next <= offset) low = middle + 1
      else high = middle
    }
    return this.#batches.slice(low, low + batches)
  }

  /** The offset of the first record that still has to be seen; the end when there is none. */
  get frontier(): number {
    for (; this.#frontier < this.records.length; this.#frontier++) {
      const record = this.records[this.#frontier]!
      if (isOpen(record)) return record.offset
    }
    return this.end
  }

  get open(): number {
    return this.records.filter(isOpen).length
  }

  /** Retention: whole batches go from the beginning. */
  retain(share: number): void {
    const kept = this.#batches.slice(Math.floor(this.#batches.length * share))
    const start = kept[0]?.first ?? this.end
    for (const batch of this.#batches) {
      if (batch.next > start) break
      for (const record of batch.records) record.gone = true
    }
    this.#batches = kept
    this.start = start
  }

  /** Compaction: single records go from the middle; their offsets stay holes. */
  compact(goes: () => boolean): void {
    for (const batch of this.#batches) {
      for (const record of batch.records) record.gone = goes() || record.gone
      batch.records = batch.records.filter(record => !record.gone)
    }
  }

  /** An unclean leader election: whole batches go from the end, and their offsets come again. */
  truncate(share: number): void {
    const cut = this.#batches.splice(Math.ceil(this.#batches.length * share))
    const end = cut[0]?.first ?? this.end
    this.reusedBelow = Math.max(this.reusedBelow, this.end)
    this.#missableBelow = this.reusedBelow
    this.end = end
    for (const batch of cut) for (const record of batch.records) record.gone = true
    const left = this.records.findIndex(record => record.offset >= end)
    if (left >= 0) this.records.length = left
    this.#frontier = Math.min(this.#frontier, this.records.length)
  }

  /** Its owner was told of the cut and reads on from `to`: from there on nothing may be missed. */
  known(to: number): void {
    this.#missableBelow = Math.min(this.#missableBelow, to)
    for (const record of this.within(to, Infinity)) {
      record.missable = false
      this.#frontier = Math.min(this.#frontier, record.index)
    }
  }

  /** The next owner begins at the committed offset, which may still be from before the cut. */
  passedOn(): void {
    if (!this.wasCut) return
    let below = this.committed
    // What was finished above reaches to the next record, wherever that was.
    for (const { offset } of this.commit.debt.done) below = Math.max(below, offset + maxGap)
    this.#missableBelow = Math.max(this.#missableBelow, below)
    for (const record of this.within(0, below)) record.missable = true
  }

  /** What is committed; -1: nothing. */
  get committed(): number {
    return this.commit.offset
  }

  /** Commits may go back: offsets mean other records now. */
  get wasCut(): boolean {
    return this.reusedBelow > 0
  }

  /** Records of [from, to) that were not cut off, in order. */
  *within(from: number, to: number): Iterable<SimRecord> {
    let low = 0
    let high = this.records.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.records[middle]!.offset < from) low = middle + 1
      else high = middle
    }
    for (; low < this.records.length && this.records[low]!.offset < to; low++) yield this.records[low]!
  }

  /** A jump that was told passed over these. */
  excuse(from: number, to: number): void {
    for (const record of this.within(from, to)) record.excused = true
  }
}

/** Offsets that may be left out at once: by an append, and by what is burned after it. */
const maxGap = 10

/** It still has to be seen. */
const isOpen = ({ done, gone, excused, missable }: SimRecord): boolean => !done && !gone && !excused && !missable
