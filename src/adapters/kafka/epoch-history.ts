interface Begun {
  /** Offset of the first record of the epoch that was read. */
  readonly from: number
  readonly epoch: number
}

/** Leaders change seldom: more changes than this within what is not committed yet tell nothing worth keeping. */
const longest = 64

/**
 * Under which leader epochs the records of a partition were written that were read (KIP-101, KIP-320). From it follows the
 * epoch that goes with a commit, and where a log that was cut parts from what was read.
 */
export class EpochHistory {
  #begun: Begun[]

  /** `epoch`: of the last record before `offset`, -1 when nobody knows. */
  constructor(offset: number, epoch: number) {
    this.#begun = epoch < 0 ? [] : [{ from: offset - 1, epoch }]
  }

  /** Of the last record read; -1: not known. */
  get last(): number {
    return this.#begun.at(-1)?.epoch ?? -1
  }

  /** A batch was read: records from `offset` on have this epoch. */
  read(offset: number, epoch: number): void {
    if (epoch < 0 || epoch === this.last) return
    this.#begun.push({ from: offset, epoch })
    if (this.#begun.length > longest) this.#begun.shift()
  }

  /** Of the last record before `offset`; -1: not known. */
  before(offset: number): number {
    return this.#begun.findLast(each => each.from < offset)?.epoch ?? -1
  }

  /** Where what was read of epochs after this one begins; Infinity: nothing was. */
  after(epoch: number): number {
    return this.#begun.find(each => each.epoch > epoch)?.from ?? Infinity
  }

  /** What was read from `offset` on is not in the log; the record before it has this epoch. */
  cut(offset: number, epoch: number): void {
    this.#begun = this.#begun.filter(each => each.from < offset && each.epoch <= epoch)
    if (this.#begun.length === 0 && epoch >= 0) this.#begun = [{ from: offset - 1, epoch }]
  }
}
