/** Multipliers to choose from, so that no set of strings can be made to fall into one place under all of them. */
const multipliers = [0x01000193, 0x5bd1e995, 0x2c1b3c6d, 0x297a2d39, 0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f]

/** Numbers of given strings, looked up in bytes: a few comparisons whatever the strings are and however many. */
export class ByteTable {
  readonly #strings: readonly Uint8Array[]
  /** Bytes of the longest. */
  readonly longest: number
  /** A bit for each length that occurs, the highest for 31 and more. */
  readonly #lengths: number
  readonly #multiplier: number
  readonly #mask: number
  /** By place: 1 + the first string there. */
  readonly #first: Int32Array
  /** By string: 1 + the next in the same place. */
  readonly #following: Int32Array

  constructor(strings: readonly Uint8Array[]) {
    this.#strings = strings
    this.longest = strings.reduce((longest, { length }) => Math.max(longest, length), 0)
    this.#lengths = strings.reduce((bits, { length }) => bits | (1 << Math.min(length, 31)), 0)
    this.#mask = (1 << (34 - Math.clz32(strings.length))) - 1
    const tried = multipliers.map(multiplier => {
      const counts = new Int32Array(this.#mask + 1)
      for (const bytes of strings) counts[placeOf(bytes, 0, bytes.length, multiplier) & this.#mask]!++
      return { multiplier, most: counts.reduce((most, count) => Math.max(most, count), 0) }
    })
    this.#multiplier = tried.reduce((best, each) => (each.most < best.most ? each : best)).multiplier
    this.#first = new Int32Array(this.#mask + 1)
    this.#following = new Int32Array(strings.length)
    for (const [at, bytes] of strings.entries()) {
      const place = placeOf(bytes, 0, bytes.length, this.#multiplier) & this.#mask
      this.#following[at] = this.#first[place]!
      this.#first[place] = at + 1
    }
  }

  /** Which string stands in `bytes` from `from` to `to`; -1 for none. */
  find(bytes: Uint8Array, from: number, to: number): number {
    const length = to - from
    if (length > this.longest || ((this.#lengths >> Math.min(length, 31)) & 1) === 0) return -1
    let number = this.#first[placeOf(bytes, from, to, this.#multiplier) & this.#mask]!
    while (number !== 0) {
      const string = this.#strings[number - 1]!
      if (string.length === length && isAt(string, bytes, from)) return number - 1
      number = this.#following[number - 1]!
    }
    return -1
  }
}

function placeOf(bytes: Uint8Array, from: number, to: number, multiplier: number): number {
  let hash = to - from
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, multiplier)
  return hash ^ (hash >>> 15)
}

export function isAt(string: Uint8Array, bytes: Uint8Array, from: number): boolean {
  for (let at = 0; at < string.length; at++) if (bytes[from + at] !== string[at]) return false
  return true
}
