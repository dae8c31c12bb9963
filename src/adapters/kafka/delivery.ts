import type { Block, TopicPartition } from '../../core/record.ts'
import type { Meter } from '../../ports/memory.ts'
import type { Lease } from './buffer-pool.ts'
import type { FetchedPartition } from './fetch-response.ts'
import { BatchReader } from './record-batch.ts'
import type { Holder } from './record-batch.ts'

/** Bytes inflated from one answer for a partition that is full already: beyond this the rest is fetched again later. */
const inflatedAllowanceBytes = 4 << 20
/** A partition's share of an answer is copied out if smaller than this part of its Buffer, all of which it would hold. */
const copyBelow = 1 / 16

/** Who takes what is fetched. Answers at once, throws nothing. */
export interface FetchSink {
  wants(partition: TopicPartition): boolean
  fetched(block: Block): void
  skipped(partition: TopicPartition, nextOffset: number): void
  jumped(partition: TopicPartition, from: number, to: number): void
}

export interface Delivery {
  readonly target: TopicPartition
  /** Position that was asked for. */
  readonly offset: number
  /** Called after what ends there was handed on: a listener that throws gets it again. */
  readonly moved: (nextOffset: number, leaderEpoch: number) => void
  /** False: the partition has gone, nothing more of it may be handed on. */
  readonly current: () => boolean
  /** Counts what blocks hold beside the answer's Buffer. */
  readonly memory: Meter
}

/**
 * Decodes one partition's share of an answer and hands it on, batch by batch. Throws CorruptBatch with the position
 * standing before the batch it is about.
 */
export function deliver(
  answer: FetchedPartition,
  body: Buffer,
  lease: Lease,
  delivery: Delivery,
  sink: FetchSink
): void {
  const { target, offset, memory } = delivery
  const share = body.subarray(answer.recordsStart, answer.recordsEnd)
  const copied = share.length < lease.heldBytes * copyBelow
  const bytes = copied ? Buffer.from(share) : share
  const from = { ...target, fetchOffset: offset }
  const batches = new BatchReader(bytes, from, answer.aborted, copied ? copyOf(bytes, memory) : lease, memory)
  let position = offset
  let skipped = false
  let inflatedBytes = 0
  for (let batch = batches.next(); batch !== undefined; batch = batches.next()) {
    if (batch.nextOffset <= position) continue
    skipped = batch.block === undefined
    if (batch.block !== undefined) {
      if (batch.block.bytes.buffer !== bytes.buffer) inflatedBytes += batch.block.bytes.length
      sink.fetched(batch.block)
    }
    position = batch.nextOffset
    delivery.moved(position, batch.leaderEpoch)
    // The listener may have given the partition up in answer to the block.
    if (!delivery.current()) return
    if (inflatedBytes > inflatedAllowanceBytes && !sink.wants(target)) return
  }
  if (skipped) sink.skipped(target, position)
}

/** A copy is counted as long as a block lies in it. */
function copyOf({ length }: Buffer, memory: Meter): Holder {
  let blocks = 0
  return {
    retain: () => {
      if (blocks++ === 0) memory.hold(length)
    },
    release: () => {
      if (--blocks === 0) memory.free(length)
    }
  }
}
