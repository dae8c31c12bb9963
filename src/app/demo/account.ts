/** A record as the function of the demo saw it. */
export interface Seen {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

export interface Findings {
  readonly received: number
  readonly missing: number
  readonly twice: number
  readonly outOfOrder: number
  readonly damaged: number
}

/** Keeps account of every record that reached the function, to say at the end whether each came once and in order. */
export class Account {
  readonly #next: number[]
  readonly #seen: Set<number>[]
  readonly #value: (partition: number, offset: number) => string
  /** Given up: not expected, and passed over. */
  readonly #givenUp = new Set<string>()
  #received = 0
  #twice = 0
  #outOfOrder = 0
  #damaged = 0

  /** `value` says what the record at an offset must hold. */
  constructor(partitions: number, value: (partition: number, offset: number) => string) {
    this.#next = Array.from({ length: partitions }, () => 0)
    this.#seen = Array.from({ length: partitions }, () => new Set())
    this.#value = value
  }

  get received(): number {
    return this.#received
  }

  /** Distinct records of a partition. */
  of(partition: number): number {
    return this.#seen[partition]?.size ?? 0
  }

  /** Distinct records of all partitions. */
  get distinct(): number {
    return this.#seen.reduce((sum, seen) => sum + seen.size, 0)
  }

  /** The function cannot process this one: it is to lie elsewhere. */
  expectGivenUp(partition: number, offset: number): void {
    this.#givenUp.add(`${partition}/${offset}`)
    if (this.#next[partition] === offset) this.#next[partition] = offset + 1
  }

  note({ partition, offset, value }: Seen): void {
    this.#received++
    const seen = this.#seen[partition]
    if (seen === undefined || value !== this.#value(partition, offset)) {
      this.#damaged++
      return
    }
    if (seen.has(offset)) this.#twice++
    else if (offset !== this.#next[partition]) this.#outOfOrder++
    seen.add(offset)
    this.#next[partition] = this.#givenUp.has(`${partition}/${offset + 1}`) ? offset + 2 : offset + 1
  }

  /** What is there to say when `sent` records of each partition should have come. */
  close(sent: readonly number[]): Findings {
    const missing = sent.reduce((sum, count, partition) => sum + Math.max(0, count - this.of(partition)), 0)
    const givenUp = this.#givenUp.size
    return {
      received: this.#received,
      missing: missing - givenUp,
      twice: this.#twice,
      outOfOrder: this.#outOfOrder,
      damaged: this.#damaged
    }
  }
}

export const isClean = ({ missing, twice, outOfOrder, damaged }: Findings): boolean =>
  missing + twice + outOfOrder + damaged === 0
