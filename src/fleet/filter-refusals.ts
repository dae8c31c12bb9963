import { RefusalTally, sampledEvery, type SampledRefusals } from '../core/filter/refusals.ts'
import type { CountedRefusals, RefusalCounts } from '../ports/refusal-counts.ts'

interface Counted {
  readonly filters: readonly string[]
  readonly sinceMs: number
  readonly tally: RefusalTally
}

const counter = 'millrace_filter_refusals_sampled_total'

/** Why the filters of each mapping have refused records since this process began, or since the filters are these. */
export class FilterRefusals implements RefusalCounts {
  readonly #byMapping = new Map<string, Counted>()

  add(mapping: string, filters: readonly string[], refusals: SampledRefusals, atMs: number): void {
    let counted = this.#byMapping.get(mapping)
    if (counted === undefined || !isSame(counted.filters, filters)) {
      counted = { filters, sinceMs: atMs, tally: new RefusalTally() }
      this.#byMapping.set(mapping, counted)
    }
    counted.tally.add(refusals)
  }

  of(mapping: string, filters: readonly string[]): CountedRefusals | undefined {
    const counted = this.#byMapping.get(mapping)
    if (counted === undefined || !isSame(counted.filters, filters)) return undefined
    return { ...counted.tally.total(), sinceMs: counted.sinceMs }
  }

  /** The mapping has gone. */
  forget(mapping: string): void {
    this.#byMapping.delete(mapping)
  }

  /** Prometheus' text format. */
  prometheus(): string {
    const lines = [
      `# HELP ${counter} Of one in ${sampledEvery} refused records: the first condition of each filter that failed.`,
      `# TYPE ${counter} counter`
    ]
    for (const [mapping, { tally }] of this.#byMapping) {
      for (const { pattern, condition, records } of tally.total().by)
        lines.push(
          `${counter}{mapping="${mapping}",filter="${pattern + 1}",condition="${label(condition)}"} ${records}`
        )
    }
    return `${lines.join('\n')}\n`
  }
}

/** Names of fields are whatever somebody wrote into a pattern. */
const label = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, at) => text === b[at])
