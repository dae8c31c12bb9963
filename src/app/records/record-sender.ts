import type { Producer } from '../../adapters/kafka/producer.ts'
import type { ProducedRecord } from '../../adapters/kafka/produce-delivery.ts'
import { ProduceFailure } from '../../adapters/kafka/produce-failure.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { WrittenRecord } from './record-line.ts'

/** A record with its place in the world. */
export type SentRecord = ProducedRecord & { readonly topic: string }

export interface RecordSenderOptions {
  readonly producer: Producer
  readonly clock: Clock
  /** Records a second at most; absent: as fast as they are taken. */
  readonly perSecond?: number
  /** Ends sending; what was given to Kafka by then is waited for. */
  readonly signal: AbortSignal
  /** Told in the order of sending, as soon as Kafka has them. */
  readonly onSent: (records: readonly SentRecord[]) => void
}

/** Records of one topic that go together. */
const chunkRecords = 1_000
/** Chunks that wait for their acknowledgement at a time. */
const maxUnderWay = 8
/** With a rate: pauses are not shorter than this. */
const leastPauseMs = 20

/** Sends records in their order. */
export class RecordSender {
  readonly #options: RecordSenderOptions
  readonly #underWay: Promise<void>[] = []
  /** Acknowledged. */
  #sent = 0
  #given = 0
  #beganMs: number | undefined

  constructor(options: RecordSenderOptions) {
    this.#options = options
  }

  get sent(): number {
    return this.#sent
  }

  /**
   * Resolves when all are acknowledged, or those that were given to Kafka before `signal`. Rejects with
   * `MILL_TOPIC_UNKNOWN` or `MILL_SEND_FAILED`, and with what the source of records rejects with.
   */
  async send(
    topicOf: (record: WrittenRecord) => string,
    groups: AsyncIterable<readonly WrittenRecord[]>
  ): Promise<void> {
    const { signal } = this.#options
    try {
      for await (const records of groups)
        for (const { topic, chunk } of chunks(records, topicOf, this.#chunkSize)) {
          await this.#pace(chunk.length)
          if (signal.aborted) return await this.#drain(0)
          this.#begin(topic, chunk)
          await this.#drain(maxUnderWay - 1)
        }
    } finally {
      // Also where the source fails in the middle: what was sent before is sent.
      await this.#drain(0)
    }
  }

  get #chunkSize(): number {
    const { perSecond } = this.#options
    return perSecond === undefined
      ? chunkRecords
      : Math.min(chunkRecords, Math.max(1, Math.floor((perSecond * leastPauseMs) / 1_000)))
  }

  #begin(topic: string, chunk: readonly WrittenRecord[]): void {
    const { producer, onSent } = this.#options
    const work = producer
      .send(
        topic,
        chunk.map(({ message }) => message)
      )
      .then(
        places => {
          this.#sent += places.length
          onSent(places.map(place => ({ topic, ...place })))
        },
        (error: unknown) => {
          throw this.#failure(error, topic)
        }
      )
    // Looked at when it is its turn.
    work.catch(() => undefined)
    this.#underWay.push(work)
  }

  async #drain(toLeave: number): Promise<void> {
    while (this.#underWay.length > toLeave) await this.#underWay.shift()
  }

  /** Waits until so many more may be sent. */
  async #pace(records: number): Promise<void> {
    const { perSecond, clock, signal } = this.#options
    const now = clock.monotonicMs()
    this.#beganMs ??= now
    const waitMs = perSecond === undefined ? 0 : this.#beganMs + (this.#given / perSecond) * 1_000 - now
    this.#given += records
    if (waitMs <= 0 || signal.aborted) return
    await new Promise<void>(resolve => {
      const done = () => {
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = clock.after(waitMs, done)
      signal.addEventListener('abort', done)
    })
  }

  #failure(error: unknown, topic: string): unknown {
    if (!(error instanceof ProduceFailure)) return error
    return error.kind === 'unknown-topic'
      ? new MillraceError('MILL_TOPIC_UNKNOWN', [error.message], { cause: error })
      : new MillraceError('MILL_SEND_FAILED', [topic, this.#sent, error.message], { cause: error })
  }
}

function* chunks(
  records: readonly WrittenRecord[],
  topicOf: (record: WrittenRecord) => string,
  size: number
): Generator<{ readonly topic: string; readonly chunk: readonly WrittenRecord[] }> {
  for (let from = 0; from < records.length;) {
    const topic = topicOf(records[from]!)
    let to = from + 1
    while (to < records.length && to - from < size && topicOf(records[to]!) === topic) to++
    yield { topic, chunk: records.slice(from, to) }
    from = to
  }
}
