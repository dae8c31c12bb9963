import { decodeProgress } from '../../src/core/offsets/metadata.ts'
import { type Debt, noDebt } from './debt.ts'
import type { Transaction } from './transaction.ts'

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
  /** Its transaction is open in this log: nobody may see it yet. */
  undecided: boolean
  /** Its transaction was aborted: nobody may ever see it. */
  aborted: boolean
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

/** What one append wrote, as who reads what is committed sees it. */
export interface LogBatch {
  /** Of the leader that took it. */
  readonly epoch: number
  readonly first: number
  readonly next: number
  /** None when it is a marker, of an aborted transaction or compacted empty. */
  records: SimRecord[]
  readonly transaction?: Transaction
  /** It ends its transaction in this log. */
  readonly isMarker?: boolean
  /** What it held before its transaction was aborted. */
  aborted?: readonly SimRecord[]
}

/**
 * The log of one partition: batches with gaps, and what transactions, retention, compaction and truncation do to it. It is
 * read as by who wants only what is committed: to the beginning of the oldest open transaction, and nothing of aborted ones.
 */
export class PartitionLog {
  readonly partition: number
  commit: Commit = { offset: -1, metadata: '', debt: noDebt }
  start = 0
  end = 0
  #batches: LogBatch[] = []
  /** Open transactions, and where each begins here. */
  readonly #openSince = new Map<Transaction, number>()
  /** Every record that was not cut off, in order. */
  readonly records: SimRecord[] = []
  #frontier = 0
  /** Below this an offset may have meant another record before. */
  reusedBelow = 0
  #missableBelow = 0
  /** Of who leads it: another one after each cut. */
  #epoch = 0
  /** After the first cut that nobody was told of. */
  #untoldEpoch: number | undefined

  constructor(partition: number) {
    this.partition = partition
  }

  /** One batch of records; `gaps` says after which of them an offset is left out. */
  append(
    ids: readonly number[],
    valueBytes: (id: number) => number,
    timestamp: (id: number) => number,
    gap: () => number,
    transaction?: Transaction
  ): readonly SimRecord[] {
    const first = this.end
    if (transaction !== undefined && !this.#openSince.has(transaction)) this.#openSince.set(transaction, first)
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
        undecided: transaction !== undefined,
        aborted: false,
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
    this.#batches.push({
      epoch: this.#epoch,
      first,
      next: this.end,
      records,
      ...(transaction === undefined ? {} : { transaction })
    })
    return records
  }

  /** Offsets that hold nothing to deliver: markers of others, what compaction took. */
  burn(offsets: number): void {
    const first = this.end
    this.end += offsets
    this.#batches.push({ epoch: this.#epoch, first, next: this.end, records: [] })
  }

  /** A marker ends the transaction here, as it was decided. */
  close(transaction: Transaction): void {
    this.#openSince.delete(transaction)
    for (const batch of this.#batches) {
      if (batch.transaction !== transaction) continue
      for (const record of batch.records) {
        record.undecided = false
        record.aborted = transaction.isAborted
      }
      if (!transaction.isAborted) continue
      batch.aborted = batch.records
      batch.records = []
    }
    this.#mark(transaction)
  }

  #mark(transaction: Transaction): void {
    this.#batches.push({
      epoch: this.#epoch,
      first: this.end,
      next: this.end + 1,
      records: [],
      transaction,
      isMarker: true
    })
    this.end++
  }

  /** One past what may be read: an open transaction hides all from its beginning on. */
  get stable(): number {
    return Math.max(this.start, Math.min(this.end, ...this.#openSince.values()))
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
    const found = this.#batches.slice(low, low + batches)
    const { stable } = this
    return stable === this.end ? found : found.filter(({ first }) => first < stable)
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

  /** Compaction: single records go from the middle, where all is decided; their offsets stay holes. */
  compact(goes: () => boolean): void {
    const { stable } = this
    for (const batch of this.#batches) {
      if (batch.first >= stable) return
      for (const record of batch.records) record.gone = goes() || record.gone
      batch.records = batch.records.filter(record => !record.gone)
    }
  }

  /**
   * An unclean leader election: whole batches go from the end, and their offsets come again. What had ended a transaction
   * and was cut is written again.
   */
  truncate(share: number): void {
    const cut = this.#batches.splice(Math.ceil(this.#batches.length * share))
    const end = cut[0]?.first ?? this.end
    this.#epoch++
    this.#untoldEpoch ??= this.#epoch
    this.reusedBelow = Math.max(this.reusedBelow, this.end)
    this.#missableBelow = this.reusedBelow
    this.end = end
    for (const batch of cut) for (const record of batch.records) record.gone = true
    const left = this.records.findIndex(record => record.offset >= end)
    if (left >= 0) this.records.length = left
    this.#frontier = Math.min(this.#frontier, this.records.length)
    for (const [transaction, since] of this.#openSince) if (since >= end) this.#openSince.delete(transaction)
    const ended = new Set(cut.flatMap(({ isMarker, transaction }) => (isMarker === true ? transaction! : [])))
    for (const transaction of ended)
      if (this.#batches.some(batch => batch.transaction === transaction)) this.#mark(transaction)
  }

  /** Its owner was told of the cut and reads on from `to`: from there on nothing may be missed. */
  known(to: number): void {
    this.#untoldEpoch = undefined
    this.#missableBelow = Math.min(this.#missableBelow, to)
    for (const record of this.within(to, Infinity)) {
      record.missable = false
      this.#frontier = Math.min(this.#frontier, record.index)
    }
  }

  /**
   * A new owner begins at `from`, by what the last one told and had read: who had read past a cut without being told of it, which the
   * fetcher's model does not notice, mixed records of before and after.
   */
  readOn(from: number): void {
    const { offset, metadata } = this.commit
    const told = decodeProgress(metadata, offset)
    if (this.#untoldEpoch === undefined || told === undefined || (told.leaderEpoch ?? -1) < this.#untoldEpoch)
      this.known(from)
  }

  /** The next owner begins at the committed offset, which may still be from before the cut. */
  passedOn(): void {
    if (!this.wasCut) return
    this.#missableBelow = Math.max(this.#missableBelow, this.committed)
    for (const record of this.within(0, this.committed)) record.missable = true
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

/** It still has to be seen. */
const isOpen = ({ done, gone, excused, missable, aborted }: SimRecord): boolean =>
  !done && !gone && !excused && !missable && !aborted
