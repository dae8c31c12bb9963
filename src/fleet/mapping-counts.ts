import { type CountName, countNames, type Counts } from '../core/metrics.ts'
import { FilterRefusals } from './filter-refusals.ts'

/** What the pollers of each mapping have counted since this process began. */
export class MappingCounts {
  readonly refusals = new FilterRefusals()
  readonly #byMapping = new Map<string, Partial<Record<CountName, number>>>()

  add(mapping: string, counts: Counts): void {
    const totals = this.#byMapping.get(mapping) ?? {}
    for (const [name, count] of Object.entries(counts) as [CountName, number][])
      totals[name] = (totals[name] ?? 0) + count
    this.#byMapping.set(mapping, totals)
  }

  /** The mapping has gone. */
  forget(mapping: string): void {
    this.#byMapping.delete(mapping)
    this.refusals.forget(mapping)
  }

  of(mapping: string): Counts {
    return this.#byMapping.get(mapping) ?? {}
  }

  /** Prometheus' text format, one counter for each of AWS's metrics. */
  prometheus(): string {
    const lines: string[] = []
    for (const [name, { counter, help }] of Object.entries(countNames) as [
      CountName,
      (typeof countNames)[CountName]
    ][]) {
      lines.push(`# HELP ${counter} ${help} (AWS: ${name}).`, `# TYPE ${counter} counter`)
      for (const [mapping, totals] of this.#byMapping)
        lines.push(`${counter}{mapping="${mapping}"} ${totals[name] ?? 0}`)
    }
    return `${lines.join('\n')}\n${this.refusals.prometheus()}`
  }
}
