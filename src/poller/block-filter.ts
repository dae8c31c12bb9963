import { parseFilterCriteria } from '../core/filter/criteria.ts'
import { RecordFilter } from '../core/filter/record-filter.ts'
import type { MappingSpec } from '../core/mapping/mapping.ts'
import type { Block } from '../core/record.ts'
import type { Log } from '../ports/log.ts'
import type { Counters } from './counters.ts'
import { RefusalSampler } from './refusal-sampler.ts'

/** Takes out of fetched blocks what no filter of the mapping takes: it is as if it had not been fetched. */
export class BlockFilter {
  readonly #filter: RecordFilter
  readonly #counters: Counters
  readonly #log: Log
  /** Only where the mapping wants to know what refuses. */
  readonly #refusals: RefusalSampler | undefined
  #toldMismatch = false

  /** Undefined when the mapping has no filters. They were checked when they were written, by the limits of then. */
  static of({ filters, tags }: MappingSpec, counters: Counters, log: Log): BlockFilter | undefined {
    if (filters === undefined) return undefined
    const criteria = { Filters: filters.map(Pattern => ({ Pattern })) }
    const patterns = parseFilterCriteria(criteria, { strictAws: false, maxFilters: filters.length })
    const mismatch = tags['millrace:filter-mismatch'] === 'drop' ? 'drop' : 'pass'
    const explains = tags['millrace:filter-explain'] === 'on'
    return new BlockFilter(new RecordFilter(patterns, { mismatch }), explains, counters, log)
  }

  private constructor(filter: RecordFilter, explains: boolean, counters: Counters, log: Log) {
    this.#filter = filter
    this.#counters = counters
    this.#log = log
    if (explains) this.#refusals = new RefusalSampler(filter, counters)
  }

  apply(block: Block): void {
    const polled = block.count
    this.#counters.add('FilteredOutEventCount', polled - block.retain(this.#isKept(block)))
    if (this.#filter.mismatches > 0 && !this.#toldMismatch) this.#tellMismatch(block)
  }

  #isKept(block: Block): (record: number) => boolean {
    const filter = this.#filter
    const refusals = this.#refusals
    if (refusals === undefined) return record => filter.accepts(block, record)
    return record => {
      const isAccepted = filter.accepts(block, record)
      if (!isAccepted) refusals.refused(block, record)
      return isAccepted
    }
  }

  #tellMismatch({ partition, nextOffset }: Block): void {
    this.#toldMismatch = true
    this.#log.warn(
      { partition, nextOffset },
      'values have another format than the filters ask for: they are judged by the rest of the patterns, or dropped where the tag millrace:filter-mismatch says so; told once'
    )
  }
}
