import type { LaneShare } from '../core/batch/shares.ts'
import type { RecordRange } from '../ports/poller-event.ts'

/** Where the records of a batch lie, a range for each of its partitions. */
export function rangesOf(shares: readonly LaneShare[]): RecordRange[] {
  return shares.map(({ lane: { topic, partition }, slices }) => {
    const [first, last] = [slices[0]!, slices.at(-1)!]
    return { topic, partition, first: first.block.offsets[first.from]!, last: last.block.offsets[last.to - 1]! }
  })
}
