import { spellings } from './case-folding.ts'
import type { StringTest } from './operators.ts'

/** States a compiled set of strings may have: four bytes each for every byte it tells apart. */
const maxStates = 8_192
/** Sets of places in the patterns looked at while compiling, times their size: bounds the time of a Create. */
const maxWork = 4_000_000

const aByte = new Uint8Array(1)

/** A place in one pattern, while compiling. */
interface Place {
  readonly edges: { readonly byte: number; readonly to: number }[]
  /** A star begins here: any byte leads back. */
  loops: boolean
  /** The string may end here: its group is matched. */
  accepts: boolean
  readonly pattern: number
  readonly group: number
}

/**
 * Many string tests at once in one pass, one table lookup a byte: a deterministic automaton over UTF-8. State 0 is dead:
 * nothing that follows can match.
 */
export class StringAutomaton {
  readonly #classOf: Uint8Array
  /**
   * By state and class of a byte: where the row of the next state begins, so that a step is one addition and one look. Zero and
   * below is for states that are never left.
   */
  readonly #next: Int32Array
  readonly #start: number
  /** By state: which of `outcomes`. */
  readonly #accepts: Int32Array
  readonly #classes: number
  /** Reads strings from their end. */
  readonly #isBackward: boolean
  /** What `matchWith` of another found. */
  outcome = 0
  /** Sets of groups that strings match; the first is empty. */
  readonly outcomes: readonly ReadonlySet<number>[]

  private constructor(
    classOf: Uint8Array,
    classes: number,
    next: Int32Array,
    start: number,
    accepts: readonly (readonly number[])[],
    isBackward: boolean
  ) {
    this.#isBackward = isBackward
    this.#classOf = classOf
    this.#classes = classes
    this.#next = next
    this.#start = start
    const known = new Map([['', 0]])
    const outcomes: ReadonlySet<number>[] = [new Set()]
    this.#accepts = Int32Array.from(accepts, groups => {
      const key = groups.join()
      const outcome = known.get(key) ?? outcomes.push(new Set(groups)) - 1
      known.set(key, outcome)
      return outcome
    })
    this.outcomes = outcomes
  }

  /** Which of `outcomes`. */
  match(bytes: Uint8Array, from: number, to: number): number {
    if (this.#isBackward) return this.#matchBackward(bytes, from, to)
    return this.#matchFrom(this.#start, bytes, from, to)
  }

  #matchFrom(row: number, bytes: Uint8Array, at: number, to: number): number {
    const classOf = this.#classOf
    const next = this.#next
    while (row > 0 && at < to) {
      row = next[row + classOf[bytes[at]!]!]!
      at++
    }
    return this.#outcomeAt(row)
  }

  #outcomeAt(row: number): number {
    return this.#accepts[Math.abs(row) / this.#classes]!
  }

  #matchBackward(bytes: Uint8Array, from: number, to: number): number {
    const classOf = this.#classOf
    const next = this.#next
    let row = this.#start
    for (let at = to - 1; at >= from; at--) {
      row = next[row + classOf[bytes[at]!]!]!
      if (row <= 0) break
    }
    return this.#outcomeAt(row)
  }

  /**
   * Two at once, neither of them backward: a processor waits for the next row of the one while it looks at the other. Returns
   * the outcome; `other.outcome` is the other's.
   */
  matchWith(other: StringAutomaton, bytes: Uint8Array, from: number, to: number): number {
    const classOf = this.#classOf
    const otherClassOf = other.#classOf
    const next = this.#next
    const otherNext = other.#next
    let row = this.#start
    let otherRow = other.#start
    let at = from
    while (row > 0 && otherRow > 0 && at < to) {
      const byte = bytes[at]!
      row = next[row + classOf[byte]!]!
      otherRow = otherNext[otherRow + otherClassOf[byte]!]!
      at++
    }
    other.outcome = other.#matchFrom(otherRow, bytes, at, to)
    return this.#matchFrom(row, bytes, at, to)
  }

  /** Undefined when the automaton would be too large. */
  static compile(
    groups: readonly (readonly StringTest[])[],
    direction: 'forward' | 'backward' = 'forward'
  ): StringAutomaton | undefined {
    const places: Place[] = []
    const isBackward = direction === 'backward'
    const starts = groups.flatMap((tests, group) => tests.map(test => addPattern(places, test, group, isBackward)))
    const { classOf, classes, representatives } = byteClasses(places)
    const sets: (readonly number[])[] = [[]]
    const known = new Map<string, number>([['', 0]])
    const idOf = (set: readonly number[]): number => {
      const key = set.join()
      let id = known.get(key)
      if (id === undefined) {
        id = sets.length
        known.set(key, id)
        sets.push(set)
      }
      return id
    }
    const sureOf = new Map<number, number>()
    for (const [at, { loops, accepts, group }] of places.entries())
      if (loops && accepts && !sureOf.has(group)) sureOf.set(group, at)
    const start = idOf(reduced(places, sureOf, starts))
    const rows: number[] = Array.from({ length: classes }, () => 0)
    let work = 0
    for (let id = 1; id < sets.length; id++) {
      const set = sets[id]!
      work += set.length * classes
      if (sets.length > maxStates || work > maxWork) return undefined
      const { looping, targets } = edgesOf(places, set)
      // Most bytes lead nowhere but around.
      const otherwise = idOf(reduced(places, sureOf, looping))
      for (const byte of representatives) {
        const to = targets.get(byte)
        rows.push(to === undefined ? otherwise : idOf(reduced(places, sureOf, [...looping, ...to])))
      }
    }
    const accepts = sets.map(set =>
      [...new Set(set.filter(place => places[place]!.accepts).map(place => places[place]!.group))].toSorted(
        (left, right) => left - right
      )
    )
    const isLeft = Uint8Array.from(sets, (_, id) => {
      for (let at = id * classes; at < (id + 1) * classes; at++) if (rows[at] !== id) return 1
      return 0
    })
    const next = Int32Array.from(rows, id => (isLeft[id] === 1 ? id : -id) * classes)
    const automaton = new StringAutomaton(classOf, classes, next, start * classes, accepts, isBackward)
    // V8 compiles a long loop before it has seen the loop's end, and then throws away what it compiled at each end.
    automaton.match(aByte, 0, 1)
    automaton.matchWith(automaton, aByte, 0, 1)
    return automaton
  }
}

/**
 * Adds the places of one pattern, in the order of the pattern; returns the first. Backward, suffixes only: each is the
 * beginning of what is read, which makes few states of many.
 */
function addPattern(places: Place[], test: StringTest, group: number, isBackward: boolean): number {
  const pattern = places.length
  const add = (loops: boolean): number => places.push({ edges: [], loops, accepts: false, pattern, group }) - 1
  const append = (from: number, bytes: Uint8Array, to?: number): number => {
    for (const [index, byte] of bytes.entries()) {
      const next = index === bytes.length - 1 && to !== undefined ? to : add(false)
      places[from]!.edges.push({ byte, to: next })
      from = next
    }
    return from
  }
  const star = (place: number): void => {
    places[place]!.loops = true
  }
  const bytesOf = (value: string): Uint8Array => (isBackward ? Buffer.from(value).reverse() : Buffer.from(value))
  const text = (from: number, value: string, ignoreCase: boolean): number => {
    if (!ignoreCase) return append(from, bytesOf(value))
    const letters = spellings(value)
    for (const { lower, upper } of isBackward ? letters.reverse() : letters) {
      const begin = from
      from = append(begin, bytesOf(lower))
      if (upper !== lower) append(begin, bytesOf(upper), from)
    }
    return from
  }
  let last = add(false)
  switch (test.kind) {
    case 'equals':
      last = text(last, test.text, false)
      break
    case 'equals-ignore-case':
      last = text(last, test.text, true)
      break
    case 'prefix':
      last = text(last, test.text, test.ignoreCase)
      star(last)
      break
    case 'suffix':
      if (!isBackward) star(last)
      last = text(last, test.text, test.ignoreCase)
      if (isBackward) star(last)
      break
    case 'wildcard':
      for (const [index, piece] of test.pieces.entries()) {
        if (index > 0) star(last)
        last = text(last, piece, false)
      }
      break
    default:
      throw new Error(`no such test: ${test satisfies never}`)
  }
  places[last]!.accepts = true
  return pattern
}

/** The places of a set that any byte leads back to, and by byte where others lead. */
function edgesOf(
  places: readonly Place[],
  set: readonly number[]
): { looping: readonly number[]; targets: ReadonlyMap<number, readonly number[]> } {
  const looping: number[] = []
  const targets = new Map<number, number[]>()
  for (const at of set) {
    const place = places[at]!
    if (place.loops) looping.push(at)
    for (const { byte, to } of place.edges) {
      const others = targets.get(byte)
      if (others === undefined) targets.set(byte, [to])
      else others.push(to)
    }
  }
  return { looping, targets }
}

/**
 * Without repetitions, and without what cannot matter: in one pattern, whatever is accepted from before a star is accepted
 * from the star as well; and once a group is sure to match, its other patterns are done. `sureOf` is the place that stands for
 * that, by group.
 */
function reduced(places: readonly Place[], sureOf: ReadonlyMap<number, number>, set: readonly number[]): number[] {
  const sure = new Set<number>()
  const stars = new Map<number, number>()
  for (const at of set) {
    const { loops, accepts, pattern, group } = places[at]!
    if (!loops) continue
    if (accepts) sure.add(group)
    stars.set(pattern, Math.max(at, stars.get(pattern) ?? -1))
  }
  const kept = new Set<number>()
  for (const group of sure) kept.add(sureOf.get(group)!)
  for (const at of set) {
    const { pattern, group } = places[at]!
    if (!sure.has(group) && at >= (stars.get(pattern) ?? -1)) kept.add(at)
  }
  return [...kept].sort((left, right) => left - right)
}

/** Bytes that no pattern names behave alike. */
function byteClasses(places: readonly Place[]): { classOf: Uint8Array; classes: number; representatives: number[] } {
  const classOf = new Uint8Array(256)
  const representatives = [-1]
  for (const { edges } of places) {
    for (const { byte } of edges) {
      if (classOf[byte] !== 0) continue
      classOf[byte] = representatives.length
      representatives.push(byte)
    }
  }
  return { classOf, classes: representatives.length, representatives }
}
