import { KafkaError } from './error-codes.ts'
import type { BatchHeader } from './record-batch.ts'

interface RememberedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly timestamp: number
}

interface Producer {
  readonly epoch: number
  /** Oldest first. */
  readonly batches: RememberedBatch[]
}

/** As many as Kafka keeps: a producer has at most five requests in flight (max.in.flight.requests.per.connection). */
const rememberedBatches = 5
const rememberedProducers = 10_000

/** What one partition knows of idempotent producers: enough to see a repeated batch and a missing one (KIP-98, KIP-360). */
export class ProducerState {
  readonly #producers = new Map<number, Producer>()

  /**
   * Looks at a batch before it is appended. A batch that was appended before is returned with the offset it got then;
   * `undefined` means go ahead. Throws OUT_OF_ORDER_SEQUENCE_NUMBER or INVALID_PRODUCER_EPOCH.
   */
  check(header: BatchHeader): { baseOffset: number; timestamp: number } | undefined {
    if (header.producerId < 0) return undefined
    const known = this.#producers.get(header.producerId)
    // Kafka takes any first sequence of a producer it does not know: its earlier batches may have been deleted.
    if (known === undefined) return undefined
    if (header.producerEpoch < known.epoch) {
      throw new KafkaError(
        'INVALID_PRODUCER_EPOCH',
        `producer ${header.producerId} is at epoch ${known.epoch}, the batch is of epoch ${header.producerEpoch}`
      )
    }
    if (header.producerEpoch > known.epoch) {
      if (header.baseSequence === 0) return undefined
      throw new KafkaError('OUT_OF_ORDER_SEQUENCE_NUMBER', 'a new epoch of a producer starts at sequence 0')
    }
    const repeated = known.batches.find(
      batch => batch.firstSequence === header.baseSequence && batch.lastSequence === header.lastSequence
    )
    if (repeated !== undefined) return repeated
    const last = known.batches.at(-1)!.lastSequence
    const expected = last === 0x7fff_ffff ? 0 : last + 1
    if (header.baseSequence === expected) return undefined
    throw new KafkaError(
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      `producer ${header.producerId} should go on with sequence ${expected}, got ${header.baseSequence}`
    )
  }

  appended(header: BatchHeader, baseOffset: number, timestamp: number): void {
    if (header.producerId < 0) return
    const known = this.#producers.get(header.producerId)
    const batches = known !== undefined && known.epoch === header.producerEpoch ? known.batches : []
    batches.push({ firstSequence: header.baseSequence, lastSequence: header.lastSequence, baseOffset, timestamp })
    if (batches.length > rememberedBatches) batches.shift()
    // Set anew, so that the map's order is the order of last use.
    this.#producers.delete(header.producerId)
    this.#producers.set(header.producerId, { epoch: header.producerEpoch, batches })
    if (this.#producers.size > rememberedProducers) {
      const [oldest] = this.#producers.keys()
      if (oldest !== undefined) this.#producers.delete(oldest)
    }
  }
}
