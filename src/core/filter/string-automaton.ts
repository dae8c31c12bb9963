import { spellings } from './case-folding.ts'
import type { StringTest } from './operators.ts'

/** States a compiled set of strings may have: four bytes each for every byte it tells apart. */
const maxStates = 8_192
/** Sets of places in the patterns looked at while compiling, times their size: bounds the time of a Create. */
const maxWork = 4_000_000

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
  /** By state and class of a byte: where the row of the next state begins, so that a step is one addition and one look. */
  readonly #next: Int32Array
  readonly #start: number
  /** By state: which of `outcomes`. */
  readonly #accepts: Int32Array
  readonly #classes: number
  /** Sets of groups that strings match; the first is empty. */
  readonly outcomes: readonly ReadonlySet<number>[]

  private constructor(
    classOf: Uint8Array,
    classes: number,
    next: Int32Array,
    start: number,
    accepts: readonly (readonly number[])[]
  ) {
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
    const classOf = this.#classOf
    const next = this.#next
    let row = this.#start
    for (let at = from; at < to; at++) {
      row = next[row + classOf[bytes[at]!]!]!
      if (row === 0) return 0
    }
    return this.#accepts[row / this.#classes]!
  }

  /** Undefined when the automaton would be too large. */
  static compile(groups: readonly (readonly StringTest[])[]): StringAutomaton | undefined {
    const places: Place[] = []
    const starts = groups.flatMap((tests, group) => tests.map(test => addPattern(places, test, group)))
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
    const start = idOf(reduced(places, starts))
    const rows: number[] = Array.from({ length: classes }, () => 0)
    let work = 0
    for (let id = 1; id < sets.length; id++) {
      const set = sets[id]!
      work += set.length * classes
      if (sets.length > maxStates || work > maxWork) return undefined
      for (const byte of representatives) rows.push(idOf(reduced(places, step(places, set, byte))))
    }
    const accepts = sets.map(set =>
      [...new Set(set.filter(place => places[place]!.accepts).map(place => places[place]!.group))].toSorted(
        (left, right) => left - right
      )
    )
    return new StringAutomaton(
      classOf,
      classes,
      Int32Array.from(rows, state => state * classes),
      start * classes,
      accepts
    )
  }
}

/** Adds the places of one pattern, in the order of the pattern; returns the first. */
function addPattern(places: Place[], test: StringTest, group: number): number {
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
  const text = (from: number, value: string, ignoreCase: boolean): number => {
    if (!ignoreCase) return append(from, Buffer.from(value))
    for (const { lower, upper } of spellings(value)) {
      const begin = from
      from = append(begin, Buffer.from(lower))
      if (upper !== lower) append(begin, Buffer.from(upper), from)
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
      star(last)
      last = text(last, test.text, test.ignoreCase)
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

function step(places: readonly Place[], set: readonly number[], byte: number): number[] {
  const next = set.filter(place => places[place]!.loops)
  for (const place of set) for (const edge of places[place]!.edges) if (edge.byte === byte) next.push(edge.to)
  return next
}

/**
 * Without repetitions, and without what cannot matter: in one pattern, whatever is accepted from before a star is accepted
 * from the star as well; and once a group is sure to match, its other patterns are done.
 */
function reduced(places: readonly Place[], set: readonly number[]): number[] {
  const sure = new Set<number>()
  const stars = new Map<number, number>()
  for (const place of set) {
    const { loops, accepts, pattern, group } = places[place]!
    if (!loops) continue
    if (accepts) sure.add(group)
    stars.set(pattern, Math.max(place, stars.get(pattern) ?? -1))
  }
  const done = new Set<number>()
  return [...new Set(set)]
    .filter(at => {
      const { loops, accepts, pattern, group } = places[at]!
      if (!sure.has(group)) return at >= (stars.get(pattern) ?? -1)
      // One place that is sure stands for its group.
      if (!loops || !accepts || done.has(group)) return false
      done.add(group)
      return true
    })
    .toSorted((left, right) => left - right)
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
