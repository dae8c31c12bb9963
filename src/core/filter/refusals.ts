/** Of so many records that no pattern took, one is looked at for why: to tell costs as much as to filter some fifty. */
export const sampledEvery = 100

/** How often a condition was the first of its pattern that failed. */
export interface RefusalCount {
  /** Its place among the mapping's filters, from 0. */
  readonly pattern: number
  /** A path with dots, or the place of an `$or`. */
  readonly condition: string
  readonly records: number
}

/** What was found out of refused records: each counts once for every pattern. */
export interface SampledRefusals {
  /** Refused records that were looked at. */
  readonly records: number
  readonly by: readonly RefusalCount[]
}

/** Adds samples up. */
export class RefusalTally {
  #records = 0
  readonly #by = new Map<string, { pattern: number; condition: string; records: number }>()

  /** One record. */
  sampled(refusedBy: readonly Pick<RefusalCount, 'pattern' | 'condition'>[]): void {
    this.add({ records: 1, by: refusedBy.map(each => ({ ...each, records: 1 })) })
  }

  add({ records, by }: SampledRefusals): void {
    this.#records += records
    for (const { pattern, condition, records } of by) {
      const key = `${pattern} ${condition}`
      const counted = this.#by.get(key)
      if (counted === undefined) this.#by.set(key, { pattern, condition, records })
      else counted.records += records
    }
  }

  get isEmpty(): boolean {
    return this.#records === 0
  }

  /** By pattern, most first. */
  total(): SampledRefusals {
    const by = [...this.#by.values()].sort((a, b) => a.pattern - b.pattern || b.records - a.records)
    return { records: this.#records, by }
  }
}
