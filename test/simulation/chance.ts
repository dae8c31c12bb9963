/** Seeded chance (sfc32): the same seed gives the same run on every machine. Whoever draws has a stream of its own. */
export class Chance {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, stream = 0) {
    this.#a = seed | 0
    this.#b = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0
    this.#c = Math.imul(stream + 1, 0xc2b2ae35) | 0
    for (let i = 0; i < 12; i++) this.next()
  }

  /** 0 (included) to 1 (excluded). */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return (sum >>> 0) / 4_294_967_296
  }

  /** 0 to `below` - 1. */
  int(below: number): number {
    return Math.floor(this.next() * below)
  }

  /** Both ends included. */
  between(low: number, high: number): number {
    return low + this.int(high - low + 1)
  }

  happens(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(from.length)]!
  }
}
