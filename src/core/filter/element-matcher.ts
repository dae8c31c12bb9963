import { byAbsence, infeasible, type ElementPlan, type Plan } from './element-plan.ts'
import { closing, isArrayOpening, nodeOfOpening, type ElementTape } from './element-tape.ts'
import { FindingPool } from './finding-pool.ts'
import type { PathNode } from './path-node.ts'

/** Places of the table of steps. */
const tableSize = 1 << 14
/** Findings that are kept; with more, all but the open ones are worked out again. */
const maxFindings = 16_384
/** At most so many are made of one entry. */
const perEntry = 4

/** What a finding is about: an object or an array that is open, or a value that has ended. */
const [openObject, openArray, ended] = [0, 1, 2]

/**
 * Matches patterns where arrays hold objects: all conditions of a branch have to hold in the same elements. From what the
 * scanner wrote down it tells for each value what is the earliest condition (in the order of names) that is satisfied by a
 * value within, if all can be satisfied there at all. "Earliest" decides what missing means, as in event-ruler: a missing
 * field is looked for in the chosen element only when a condition before it has chosen one.
 *
 * Findings are numbered, and what a finding becomes by the next value is worked out once: documents may be long, but their
 * elements are of few kinds. A finding is a list: what it is about, which children were there, results, which fields have
 * values within. The results of an open object are those of its children, all others have one for each demand at their node.
 */
export class ElementMatcher {
  readonly #plan: ElementPlan
  readonly #nodes: readonly PathNode[]
  readonly #presenceWords: number
  /** By node: where its results lie among those of its parent's children. */
  readonly #places: Int32Array
  /** By node: how many results its children have. */
  readonly #childResults: Int32Array
  readonly #pool = new FindingPool()
  #scratch = new Int32Array(64)
  /** Steps by finding and what comes next: a value as on the tape, or -1 - the finding of one that has ended. */
  readonly #stepFrom = new Int32Array(tableSize).fill(-1)
  readonly #stepBy = new Int32Array(tableSize)
  readonly #stepTo = new Int32Array(tableSize)
  /** By finding: 1 + what it is once it has ended. */
  readonly #endedAs = new Int32Array(maxFindings + perEntry)
  /** By entry that opens: 1 + the finding to begin with. */
  readonly #beginnings: Int32Array
  /** Findings that are open, by depth. */
  #open = new Int32Array(64)
  /** What was found at the root of the last document; undefined when names are repeated in objects. */
  #root: Int32Array | undefined

  constructor(plan: ElementPlan, nodes: readonly PathNode[]) {
    this.#plan = plan
    this.#nodes = nodes
    this.#presenceWords = (plan.presences + 31) >> 5
    this.#beginnings = new Int32Array(nodes.length * 2)
    this.#places = new Int32Array(nodes.length)
    this.#childResults = Int32Array.from(nodes, ({ children }) => {
      let results = 0
      for (const { id } of children) {
        this.#places[id] = results
        results += plan.nodes[id]?.demands.length ?? 0
      }
      return results
    })
  }

  /** Reads a document. */
  read(tape: ElementTape): void {
    const found = tape.isBeyond ? -1 : this.#walk(tape)
    this.#root = found < 0 ? undefined : this.#pool.listOf(found)
  }

  /** Does the document that was read last match? Undefined when that takes the plain matcher. */
  matches(pattern: number, outside: Uint8Array): boolean | undefined {
    const branches = this.#plan.patterns[pattern]!
    if (branches === 'irregular' || this.#root === undefined) return undefined
    const first = 1 + seenWords(this.#nodes[0]!)
    for (const { demand, outside: conditions } of branches) {
      if (demand >= 0 && this.#root[first + demand] === infeasible) continue
      let isOpen = true
      for (const at of conditions) isOpen &&= outside[at] === 1
      if (isOpen) return true
    }
    return false
  }

  /** What is found at the root; -1 when names are repeated. */
  #walk({ entries, length }: ElementTape): number {
    let depth = 0
    let finding = -1
    for (let at = 0; at < length; at++) {
      if (this.#pool.size > maxFindings) finding = this.#startAnew(depth, finding)
      const entry = entries[at]!
      if (entry >= 0) finding = this.#step(finding, entry)
      else if (entry === closing) {
        const result = this.#end(finding)
        depth--
        if (depth === 0) return result
        finding = this.#step(this.#open[depth]!, -1 - result)
      } else {
        if (depth === this.#open.length) this.#open = wider(this.#open)
        this.#open[depth++] = finding
        finding = this.#beginning(entry)
      }
      if (finding < 0) return -1
    }
    throw new Error('a document without an end was let through')
  }

  #step(from: number, by: number): number {
    const place = (Math.imul(from, 0x9e3779b1) ^ Math.imul(by, 0x85ebca6b)) >>> 18
    if (this.#stepFrom[place] === from && this.#stepBy[place] === by) return this.#stepTo[place]!
    const to = by >= 0 ? this.#withValue(from, by) : this.#with(from, this.#pool.listOf(-1 - by))
    if (to >= 0) {
      this.#stepFrom[place] = from
      this.#stepBy[place] = by
      this.#stepTo[place] = to
    }
    return to
  }

  #beginning(entry: number): number {
    const known = this.#beginnings[-2 - entry]!
    if (known !== 0) return known - 1
    const node = this.#nodes[nodeOfOpening(entry)]!
    const first = this.#blank(node, isArrayOpening(entry) ? openArray : openObject)
    const presences = first + this.#resultsOf(node, isArrayOpening(entry) ? openArray : openObject)
    this.#scratch.fill(infeasible, first, presences)
    const found = this.#keep(presences)
    this.#beginnings[-2 - entry] = found + 1
    return found
  }

  /** A value that is neither object nor array, within what is open. */
  #withValue(from: number, entry: number): number {
    const node = this.#nodes[entry % this.#nodes.length]!
    const outcome = Math.trunc(entry / this.#nodes.length)
    const { demands, presence } = this.#plan.nodes[node.id]!
    const first = this.#blank(node, ended)
    for (const [at, { own, takesAbsence }] of demands.entries()) {
      const isMet = own !== undefined && node.leaf!.outcomePasses(outcome, own.place)
      this.#scratch[first + at] = isMet ? own.order : own === undefined && takesAbsence ? byAbsence : infeasible
    }
    const presences = first + demands.length
    if (presence >= 0) this.#scratch[presences + (presence >> 5)]! |= 1 << (presence & 31)
    return this.#with(from, this.#pool.listOf(this.#keep(presences)))
  }

  /** What is open, with a value that has ended; -1 when there was one of its name, and more than one condition within. */
  #with(from: number, value: Int32Array): number {
    const list = this.#pool.listOf(from)
    const node = this.#nodes[Math.trunc(list[0]! / 3)]!
    const child = this.#nodes[Math.trunc(value[0]! / 3)]!
    const about = list[0]! % 3
    const scratch = this.#scratch
    const first = 1 + seenWords(node)
    const inner = 1 + seenWords(child)
    const { demands } = this.#plan.nodes[child.id]!
    scratch.set(list)
    if (about === openArray) {
      // Of the elements that satisfy, the one with the earliest condition asks least of the other elements.
      for (let at = 0; at < demands.length; at++) {
        const candidate = value[inner + at]!
        const best = scratch[first + at]!
        if (candidate !== infeasible && (best === infeasible || candidate < best)) scratch[first + at] = candidate
      }
    } else {
      const [word, bit] = [1 + (child.place >> 5), 1 << (child.place & 31)]
      const results = first + this.#places[child.id]!
      if ((scratch[word]! & bit) === 0)
        for (let at = 0; at < demands.length; at++) scratch[results + at] = value[inner + at]!
      else {
        // Conditions may choose from two values of one name independently: rare enough for the plain matcher.
        if (demands.some(({ conditions }) => conditions.length > 1)) return -1
        for (let at = 0; at < demands.length; at++)
          scratch[results + at] = either(scratch[results + at]!, value[inner + at]!)
      }
      scratch[word]! |= bit
    }
    const presences = first + this.#resultsOf(node, about)
    const innerPresences = inner + demands.length
    for (let word = 0; word < this.#presenceWords; word++) scratch[presences + word]! |= value[innerPresences + word]!
    return this.#keep(presences)
  }

  /** What an open object or array is as a value. */
  #end(finding: number): number {
    const known = this.#endedAs[finding]!
    if (known !== 0) return known - 1
    const list = this.#pool.listOf(finding)
    const node = this.#nodes[Math.trunc(list[0]! / 3)]!
    const about = list[0]! % 3
    const plan = this.#plan.nodes[node.id]!
    const first = this.#blank(node, ended)
    const presences = first + plan.demands.length
    const listPresences = first + this.#resultsOf(node, about)
    for (let word = 0; word < this.#presenceWords; word++) this.#scratch[presences + word] = list[listPresences + word]!
    if (about === openArray) this.#endArray(plan, list, first)
    else this.#endObject(plan, node, list, first)
    const result = this.#keep(presences)
    this.#endedAs[finding] = result + 1
    return result
  }

  /** All parts of a demand must be satisfied; the earliest of their conditions is the whole's. */
  #endObject({ demands, parts }: Plan, node: PathNode, list: Int32Array, first: number): void {
    const scratch = this.#scratch
    for (let at = 0; at < demands.length; at++) {
      const { own } = demands[at]!
      scratch[first + at] = own === undefined || own.takesAbsent ? byAbsence : infeasible
    }
    for (const { id, place } of node.children) {
      const child = this.#plan.nodes[id]
      if (child === undefined) continue
      const isThere = (list[1 + (place >> 5)]! & (1 << (place & 31))) !== 0
      const results = first + this.#places[id]!
      for (const { demand, wholes } of parts[place]!) {
        const absent = child.demands[demand]!.takesAbsence ? byAbsence : infeasible
        const part = isThere ? list[results + demand]! : absent
        for (const whole of wholes) {
          const before = scratch[first + whole]!
          if (part === infeasible || (before !== infeasible && part < before)) scratch[first + whole] = part
        }
      }
    }
  }

  /** Conditions before the first that chose an element are satisfied by absence only if no element at all has the field. */
  #endArray({ demands }: Plan, list: Int32Array, first: number): void {
    const scratch = this.#scratch
    const presences = first + demands.length
    for (const [at, { conditions, own, takesAbsence }] of demands.entries()) {
      const chosen = list[first + at]!
      scratch[first + at] = chosen
      // With one condition, a value that passes is enough, whatever the others are.
      if (own !== undefined && chosen === own.order) continue
      let best = chosen === infeasible && takesAbsence ? byAbsence : chosen
      for (const { order, presence } of conditions) {
        const isThere = presence >= 0 && (scratch[presences + (presence >> 5)]! & (1 << (presence & 31))) !== 0
        if (isThere && order < best) best = infeasible
      }
      scratch[first + at] = best
    }
  }

  /** Begins a list about a node in the scratch; returns where its results begin. */
  #blank(node: PathNode, about: number): number {
    const first = 1 + seenWords(node)
    const length = first + this.#resultsOf(node, about) + this.#presenceWords
    while (this.#scratch.length < length) this.#scratch = wider(this.#scratch)
    this.#scratch.fill(0, 0, length)
    this.#scratch[0] = node.id * 3 + about
    return first
  }

  /** How many results a list has. */
  #resultsOf(node: PathNode, about: number): number {
    return about === openObject ? this.#childResults[node.id]! : this.#plan.nodes[node.id]!.demands.length
  }

  /** The number of the list in the scratch, whose presences begin at `presences`. */
  #keep(presences: number): number {
    return this.#pool.numberOf(this.#scratch, presences + this.#presenceWords)
  }

  /** Forgets all but what is open. */
  #startAnew(depth: number, finding: number): number {
    const open = Array.from(this.#open.subarray(1, depth), number => this.#pool.listOf(number))
    const last = this.#pool.listOf(finding)
    this.#pool.clear()
    this.#stepFrom.fill(-1)
    this.#endedAs.fill(0)
    this.#beginnings.fill(0)
    for (const [at, list] of open.entries()) this.#open[at + 1] = this.#pool.numberOf(list, list.length)
    return this.#pool.numberOf(last, last.length)
  }
}

/** How many words tell which children of a node were there. */
const seenWords = ({ children }: PathNode): number => (children.length + 31) >> 5

/** Of two values of one name, for one condition: one that passes is enough, and missing is what has no value at all. */
function either(left: number, right: number): number {
  if (left === infeasible) return right === byAbsence ? infeasible : right
  if (right === infeasible) return left === byAbsence ? infeasible : left
  return Math.min(left, right)
}

function wider(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(array.length * 2)
  wider.set(array)
  return wider
}
