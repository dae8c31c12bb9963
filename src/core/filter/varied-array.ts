/** An open array with many kinds of elements: gathers in place what they satisfy (`element-matcher.ts`). */
export class VariedArray {
  /** Elements that were added, by number. */
  readonly #added = new Set<number>()
  /** The beginning of its list, up to the results; fields that have values within come last. */
  #head = new Int32Array(0)
  /** By demand, the earliest condition of the elements that satisfy it. */
  readonly #results = new Map<number, number>()

  /** With the list of the array so far, whose results are from `first` on. */
  begin(list: Int32Array, first: number): void {
    this.#added.clear()
    this.#results.clear()
    this.#head = list.slice(0, first)
    this.#merge(list, first)
  }

  /** False when an element like it was added before. */
  isNew(value: number): boolean {
    if (this.#added.has(value)) return false
    this.#added.add(value)
    return true
  }

  /** An element's list, whose results are from `first` on, after so many words of presences. */
  add(list: Int32Array, first: number, presenceWords: number): void {
    for (let word = 1; word <= presenceWords; word++) this.#head[this.#head.length - word]! |= list[first - word]!
    this.#merge(list, first)
  }

  /** Numbers have been given anew. */
  forgetNumbers(): void {
    this.#added.clear()
  }

  list(): Int32Array {
    const results = [...this.#results].sort(([left], [right]) => left - right)
    return Int32Array.from([...this.#head, ...results.flat()])
  }

  #merge(list: Int32Array, first: number): void {
    for (let at = first; at < list.length; at += 2) {
      const before = this.#results.get(list[at]!)
      if (before === undefined || list[at + 1]! < before) this.#results.set(list[at]!, list[at + 1]!)
    }
  }
}
