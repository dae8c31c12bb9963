/** Numbers for lists of whole numbers: equal lists have one. */
export class FindingPool {
  readonly #lists: Int32Array[] = []
  /** By hash: the last list with it. */
  readonly #last = new Map<number, number>()
  /** By list: the one before with the same hash, or -1. */
  readonly #before: number[] = []

  /** Of all lists. */
  words = 0

  get size(): number {
    return this.#lists.length
  }

  listOf(number: number): Int32Array {
    return this.#lists[number]!
  }

  /** The number of the first `length` of `list`, which is copied when it is new. */
  numberOf(list: Int32Array, length: number): number {
    let hash = 0
    for (let at = 0; at < length; at++) hash = Math.imul(hash ^ list[at]!, 0x5bd1e995) ^ (hash >>> 13)
    const last = this.#last.get(hash) ?? -1
    for (let number = last; number >= 0; number = this.#before[number]!)
      if (isEqual(this.#lists[number]!, list, length)) return number
    this.#last.set(hash, this.#lists.length)
    this.#before.push(last)
    this.words += length
    return this.#lists.push(list.slice(0, length)) - 1
  }

  clear(): void {
    this.#lists.length = 0
    this.#before.length = 0
    this.#last.clear()
    this.words = 0
  }
}

function isEqual(left: Int32Array, right: Int32Array, length: number): boolean {
  if (left.length !== length) return false
  for (let at = 0; at < length; at++) if (left[at] !== right[at]) return false
  return true
}
