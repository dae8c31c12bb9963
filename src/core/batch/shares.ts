import type { OffsetRange } from '../offsets/progress.ts'
import { type Slice, sliceRecords } from '../record.ts'
import type { Lane } from './lane.ts'

/** What one lane gives to a batch, in offset order. */
export interface LaneShare {
  readonly lane: Lane
  slices: readonly Slice[]
}

export const slicesRecords = (slices: readonly Slice[]): number =>
  slices.reduce((sum, slice) => sum + sliceRecords(slice), 0)

export const sharesRecords = (shares: readonly LaneShare[]): number =>
  shares.reduce((sum, { slices }) => sum + slicesRecords(slices), 0)

/** The first `records` of the slices, and the rest. */
export function cutSlices(slices: readonly Slice[], records: number): [Slice[], Slice[]] {
  const head: Slice[] = []
  const tail: Slice[] = []
  for (const slice of slices) {
    const here = Math.min(sliceRecords(slice), Math.max(0, records))
    records -= here
    const { block, from, to } = slice
    if (here > 0) head.push({ block, from, to: from + here })
    if (from + here < to) tail.push({ block, from: from + here, to })
  }
  return [head, tail]
}

/** The first `records` of the shares in their order, and the rest. A lane may be in both. */
export function cutShares(shares: readonly LaneShare[], records: number): [LaneShare[], LaneShare[]] {
  const head: LaneShare[] = []
  const tail: LaneShare[] = []
  for (const { lane, slices } of shares) {
    const [mine, others] = cutSlices(slices, records)
    records -= slicesRecords(mine)
    if (mine.length > 0) head.push({ lane, slices: mine })
    if (others.length > 0) tail.push({ lane, slices: others })
  }
  return [head, tail]
}

/** Parts the records in two by what `isPicked` says of each; `index` counts them in the order of the shares. */
export function pickRecords(
  shares: readonly LaneShare[],
  isPicked: (slice: Slice, record: number, index: number) => boolean
): [picked: LaneShare[], others: LaneShare[]] {
  const picked: LaneShare[] = []
  const others: LaneShare[] = []
  let index = 0
  for (const { lane, slices } of shares) {
    const mine: Slice[] = []
    const rest: Slice[] = []
    for (const slice of slices) {
      const { block, from, to } = slice
      for (let begin = from; begin < to;) {
        const isMine = isPicked(slice, begin, index++)
        let end = begin + 1
        while (end < to && isPicked(slice, end, index) === isMine) {
          end++
          index++
        }
        ;(isMine ? mine : rest).push({ block, from: begin, to: end })
        begin = end
      }
    }
    if (mine.length > 0) picked.push({ lane, slices: mine })
    if (rest.length > 0) others.push({ lane, slices: rest })
  }
  return [picked, others]
}

/** Parts the records of one lane by the pieces they lie in, in order; those between pieces belong to none. */
export function splitByPieces<P extends OffsetRange>(
  shares: readonly LaneShare[],
  pieces: readonly P[]
): { shares: LaneShare[]; piece: P | undefined }[] {
  const parts: { shares: LaneShare[]; piece: P | undefined }[] = []
  let rest = [...shares]
  for (const piece of pieces) {
    for (const [bound, owner] of [
      [piece.first, undefined],
      [piece.next, piece]
    ] as const) {
      const [below, above] = pickRecords(rest, ({ block }, record) => block.offsets[record]! < bound)
      if (below.length > 0) parts.push({ shares: below, piece: owner })
      rest = above
    }
  }
  if (rest.length > 0) parts.push({ shares: rest, piece: undefined })
  return parts
}
