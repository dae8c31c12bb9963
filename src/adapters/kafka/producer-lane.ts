import { batchOverheadBytes, encodeBatch, mostRecordBytes, sequenceAfter, stampBatch } from './produce-batch.ts'
import type { NewRecord, ProducerIdentity } from './produce-batch.ts'
import type { ProduceDelivery } from './produce-delivery.ts'

/** One record on its way, and which of its delivery it is. */
export interface QueuedRecord {
  readonly record: NewRecord
  readonly delivery: ProduceDelivery
  readonly index: number
}

/** Records that go out together. Until the broker has decided about them, nothing of them changes: not bytes, not sequence. */
export interface SealedBatch {
  readonly records: readonly QueuedRecord[]
  readonly bytes: Buffer
  readonly identity: ProducerIdentity
  readonly sequence: number
  /** It was sent, and the broker has not said what became of it: it may be in the log. */
  doubtful: boolean
}

/**
 * What one partition is sent: one batch at a time, in order, each record with its place in the producer's sequence, so
 * that the broker knows a batch that came before.
 */
export class ProducerLane {
  readonly topic: string
  readonly partition: number
  /** A request of it is under way. */
  inFlight = false
  /** Monotonic; not asked for before. */
  retryAtMs = 0
  /** Failures in a row. */
  tries = 0
  #waiting: QueuedRecord[] = []
  #batch: SealedBatch | undefined
  #identity: ProducerIdentity | undefined
  #sequence = 0
  #maxBytes: number
  #maxRecords = Infinity

  constructor(topic: string, partition: number, maxBytes: number) {
    this.topic = topic
    this.partition = partition
    this.#maxBytes = maxBytes
  }

  push(record: QueuedRecord): void {
    this.#waiting.push(record)
  }

  /**
   * Is there something to send that somebody still waits for? A batch that nobody waits for any more is given up; answers
   * then which identity must not be used here again, as the sequence is uncertain.
   */
  tidy(): { readonly busy: boolean; readonly spent: ProducerIdentity | undefined } {
    let spent: ProducerIdentity | undefined
    if (this.#batch?.records.every(({ delivery }) => delivery.over) === true) spent = this.giveUp()
    if (this.#waiting.some(({ delivery }) => delivery.over))
      this.#waiting = this.#waiting.filter(({ delivery }) => !delivery.over)
    return { busy: this.#batch !== undefined || this.#waiting.length > 0, spent }
  }

  /** Whom a failure concerns that keeps the lane from being sent. */
  *deliveries(): Generator<ProduceDelivery> {
    for (const { delivery } of this.#batch?.records ?? []) yield delivery
    for (const { delivery } of this.#waiting) yield delivery
  }

  /** The batch to send now: the one that is not decided yet, else a new one of what waits. Undefined: nothing is left. */
  seal(identity: ProducerIdentity): SealedBatch | undefined {
    if (this.#batch !== undefined) return this.#batch
    const records = this.#take()
    if (records.length === 0) return undefined
    if (this.#identity === undefined) {
      this.#identity = identity
      this.#sequence = 0
    }
    const bytes = encodeBatch(records.map(({ record }) => record))
    stampBatch(bytes, this.#identity, this.#sequence)
    return (this.#batch = { records, bytes, identity: this.#identity, sequence: this.#sequence, doubtful: false })
  }

  /** The batch is in the log. `baseOffset`: -1 when the broker does not say. */
  taken(baseOffset: number): void {
    const batch = this.#batch!
    this.#batch = undefined
    this.#sequence = sequenceAfter(batch.sequence, batch.records.length)
    this.#maxRecords = Infinity
    this.tries = 0
    for (const [at, { delivery, index }] of batch.records.entries())
      delivery.placed(index, { partition: this.partition, offset: baseOffset < 0 ? -1 : baseOffset + at })
  }

  /** The batch will not be sent again. Answers as `tidy` does which identity is spent. */
  giveUp(): ProducerIdentity | undefined {
    const batch = this.#batch
    this.#batch = undefined
    this.#maxRecords = Infinity
    this.tries = 0
    return batch?.doubtful === true ? this.renew() : undefined
  }

  /** The identity is of no use any more; a batch that cannot be in the log is stamped anew with the next one. */
  renew(): ProducerIdentity | undefined {
    const spent = this.#identity
    this.#identity = undefined
    if (this.#batch !== undefined) {
      this.#waiting.unshift(...this.#batch.records)
      this.#batch = undefined
    }
    return spent
  }

  /** The batch was refused for one of its records, and is not in the log: it goes again in halves. */
  halve(tooLarge: boolean): void {
    const batch = this.#batch!
    this.#maxRecords = Math.ceil(batch.records.length / 2)
    // A limit of the topic: it would refuse the next large batch as well.
    if (tooLarge) this.#maxBytes = Math.ceil(batch.bytes.length / 2)
    this.#waiting.unshift(...batch.records)
    this.#batch = undefined
  }

  #take(): QueuedRecord[] {
    let bytes = batchOverheadBytes
    let count = 0
    for (const { record } of this.#waiting) {
      bytes += mostRecordBytes(record)
      // One that is too large for a batch goes alone, and the broker decides.
      if (count > 0 && (bytes > this.#maxBytes || count >= this.#maxRecords)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }
}
