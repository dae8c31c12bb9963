import type { RecordFilter } from '../core/filter/record-filter.ts'
import { sampledEvery } from '../core/filter/refusals.ts'
import type { Block } from '../core/record.ts'
import type { Counters } from './counters.ts'

/** Finds out of some refused records why they were refused: the first, and then one of `sampledEvery`. */
export class RefusalSampler {
  readonly #filter: RecordFilter
  readonly #counters: Counters
  #untilNext = 0

  constructor(filter: RecordFilter, counters: Counters) {
    this.#filter = filter
    this.#counters = counters
  }

  refused(block: Block, row: number): void {
    if (this.#untilNext-- > 0) return
    this.#untilNext = sampledEvery - 1
    this.#counters.refused(this.#filter.refusedBy(block, row))
  }
}
