import { byAbsence, infeasible, type ElementPlan, type Plan } from './element-plan.ts'
import { shapesOf, type Shape } from './element-shape.ts'
import { closing, isArrayOpening, nodeOfOpening, type ElementTape } from './element-tape.ts'
import { FindingPool } from './finding-pool.ts'
import { VariedArray } from './varied-array.ts'
import type { PathNode } from './path-node.ts'

/** Places of the table of steps. */
const tableSize = 1 << 14
/** Findings that are kept; with more, all but the open ones are worked out again. */
const maxFindings = 16_384
/** And so many words of them all. */
const maxWords = 1 << 20
/** At most so many are made of one entry. */
const perEntry = 4

/** Steps of one document that are worked out and kept; more, and arrays are not told apart by what was in them. */
const maxWorkedOut = 64
/** Stands for the finding of such an array. */
const varied = 0x7fffffff

/** What a finding is about: an object or an array that is open, or a value that has ended. */
const [openObject, openArray, ended] = [0, 1, 2]

/**
 * Matches patterns where arrays hold objects: all conditions of a branch have to hold in the same elements. From what the
 * scanner wrote down it tells for each value what is the earliest condition (in the order of names) that is satisfied by a
 * value within, if all can be satisfied there at all. "Earliest" decides what missing means, as in event-ruler: a missing
 * field is looked for in the chosen element only when a condition before it has chosen one.
 *
 * Findings are numbered, and what a finding becomes by the next value is worked out once: documents may be long, but their
 * elements are of few kinds. A finding is a list: what it is about, which children were there, which fields have values
 * within, and then what is satisfied: number of a demand at its node, and the result. An open object has that of its children.
 */
export class ElementMatcher {
  readonly #plan: ElementPlan
  readonly #nodes: readonly PathNode[]
  readonly #presenceWords: number
  /** By id of a node. */
  readonly #shapes: readonly (Shape | undefined)[]
  readonly #pool = new FindingPool()
  /** By value as on the tape: its finding. */
  readonly #values = new Map<number, number>()
  #scratch = new Int32Array(64)
  /** Of the list in the scratch. */
  #length = 0
  /** By demand, while an object ends: parts that are satisfied, and the earliest of their conditions. */
  #counts = new Int32Array(64)
  #earliest = new Int32Array(64)
  /** Steps of the document that had to be worked out. */
  #workedOut = 0
  /** By depth: an array with too many kinds of elements to number what it becomes with each. */
  readonly #varied: (VariedArray | undefined)[] = []
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
  /** Demands of the root that the last document satisfies. */
  readonly #satisfied = new Set<number>()
  /** False when names were repeated. */
  #isTold = false

  constructor(plan: ElementPlan, nodes: readonly PathNode[]) {
    this.#plan = plan
    this.#nodes = nodes
    this.#presenceWords = (plan.presences + 31) >> 5
    this.#beginnings = new Int32Array(nodes.length * 2)
    this.#shapes = shapesOf(plan, nodes)
  }

  /** Reads a document. */
  read(tape: ElementTape): void {
    const found = tape.isBeyond ? -1 : this.#walk(tape)
    this.#isTold = found >= 0
    this.#satisfied.clear()
    if (found < 0) return
    const root = this.#pool.listOf(found)
    for (let at = 1 + seenWords(this.#nodes[0]!) + this.#presenceWords; at < root.length; at += 2)
      this.#satisfied.add(root[at]!)
  }

  /** Does the document that was read last match? Undefined when that takes the plain matcher. */
  matches(pattern: number, outside: Uint8Array): boolean | undefined {
    const branches = this.#plan.patterns[pattern]!
    if (branches === 'irregular' || !this.#isTold) return undefined
    for (const { demand, outside: conditions } of branches) {
      if (demand >= 0 && !this.#satisfied.has(demand)) continue
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
    this.#workedOut = 0
    for (let at = 0; at < length; at++) {
      if (this.#pool.size > maxFindings || this.#pool.words > maxWords) finding = this.#startAnew(depth, finding)
      const entry = entries[at]!
      if (entry >= 0) finding = this.#step(finding, entry, depth)
      else if (entry === closing) {
        const result = finding === varied ? this.#endVaried(depth) : this.#end(finding)
        depth--
        if (depth === 0) return result
        finding = this.#step(this.#open[depth]!, -1 - result, depth)
      } else {
        if (depth === this.#open.length) this.#open = wider(this.#open)
        this.#open[depth++] = finding
        finding = this.#beginning(entry)
      }
      if (finding < 0) return -1
    }
    throw new Error('a document without an end was let through')
  }

  #step(from: number, by: number, depth: number): number {
    if (from === varied) return this.#stepVaried(by, depth)
    const place = (Math.imul(from, 0x9e3779b1) ^ Math.imul(by, 0x85ebca6b)) >>> 18
    if (this.#stepFrom[place] === from && this.#stepBy[place] === by) return this.#stepTo[place]!
    if (++this.#workedOut > maxWorkedOut && this.#pool.listOf(from)[0]! % 3 === openArray) {
      const list = this.#pool.listOf(from)
      const array = (this.#varied[depth] ??= new VariedArray())
      array.begin(list, this.#firstResult(list))
      return this.#stepVaried(by, depth)
    }
    const to = this.#with(from, this.#pool.listOf(by >= 0 ? this.#valueOf(by) : -1 - by))
    if (to >= 0) {
      this.#stepFrom[place] = from
      this.#stepBy[place] = by
      this.#stepTo[place] = to
    }
    return to
  }

  #stepVaried(by: number, depth: number): number {
    const value = by >= 0 ? this.#valueOf(by) : -1 - by
    const array = this.#varied[depth]!
    if (array.isNew(value)) {
      const list = this.#pool.listOf(value)
      array.add(list, this.#firstResult(list), this.#presenceWords)
    }
    return varied
  }

  #endVaried(depth: number): number {
    const list = this.#varied[depth]!.list()
    this.#beginEnded(list)
    const node = this.#nodes[Math.trunc(list[0]! / 3)]!
    this.#endArray(this.#plan.nodes[node.id]!, this.#shapes[node.id]!, list, 1 + seenWords(node))
    return this.#keep()
  }

  #firstResult(list: Int32Array): number {
    return 1 + seenWords(this.#nodes[Math.trunc(list[0]! / 3)]!) + this.#presenceWords
  }

  #beginning(entry: number): number {
    const known = this.#beginnings[-2 - entry]!
    if (known !== 0) return known - 1
    this.#blank(this.#nodes[nodeOfOpening(entry)]!, isArrayOpening(entry) ? openArray : openObject)
    const found = this.#keep()
    this.#beginnings[-2 - entry] = found + 1
    return found
  }

  /** A value that is neither object nor array. */
  #valueOf(entry: number): number {
    let known = this.#values.get(entry)
    if (known === undefined) {
      const node = this.#nodes[entry % this.#nodes.length]!
      const { presence } = this.#plan.nodes[node.id]!
      const { ownDemands, withoutOwn } = this.#shapes[node.id]!
      const passing = node.leaf?.passing(Math.trunc(entry / this.#nodes.length)) ?? []
      const results = passing.flatMap(place => ownDemands.get(place) ?? [])
      this.#blank(node, ended)
      if (presence >= 0) this.#scratch[1 + seenWords(node) + (presence >> 5)]! |= 1 << (presence & 31)
      for (const { demand, order } of [...results, ...withoutOwn].sort((left, right) => left.demand - right.demand))
        this.#push(demand, order)
      known = this.#keep()
      this.#values.set(entry, known)
    }
    return known
  }

  /** What is open, with a value that has ended; -1 when there was one of its name, and more than one condition within. */
  #with(from: number, value: Int32Array): number {
    const list = this.#pool.listOf(from)
    const node = this.#nodes[Math.trunc(list[0]! / 3)]!
    const child = this.#nodes[Math.trunc(value[0]! / 3)]!
    const about = list[0]! % 3
    const presences = 1 + seenWords(node)
    const first = presences + this.#presenceWords
    const inner = 1 + seenWords(child) + this.#presenceWords
    this.#blank(node, about)
    for (let at = 0; at < first; at++) this.#scratch[at] = list[at]!
    for (let word = 0; word < this.#presenceWords; word++)
      this.#scratch[presences + word]! |= value[inner - this.#presenceWords + word]!
    if (about === openArray) this.#mergeElement(list, first, value, inner)
    else {
      const [word, bit] = [1 + (child.place >> 5), 1 << (child.place & 31)]
      const isRepeated = (list[word]! & bit) !== 0
      const { place, isSimple } = this.#shapes[child.id]!
      // Conditions may choose from two values of one name independently: rare enough for the plain matcher.
      if (isRepeated && !isSimple) return -1
      this.#scratch[word]! |= bit
      if (isRepeated) this.#mergeRepeated(list, first, value, inner, child)
      else {
        let length = this.#length
        while (this.#scratch.length < list.length + value.length) this.#scratch = wider(this.#scratch)
        const scratch = this.#scratch
        for (let at = first; at < list.length; at++) scratch[length++] = list[at]!
        for (let at = inner; at < value.length; at += 2) {
          scratch[length++] = place + value[at]!
          scratch[length++] = value[at + 1]!
        }
        this.#length = length
      }
    }
    return this.#keep()
  }

  /** Of the elements that satisfy, the one with the earliest condition asks least of the other elements. */
  #mergeElement(list: Int32Array, left: number, value: Int32Array, right: number): void {
    while (left < list.length || right < value.length) {
      const difference = (list[left] ?? byAbsence) - (value[right] ?? byAbsence)
      const best = difference < 0 ? list[left + 1]! : value[right + 1]!
      if (difference === 0) this.#push(list[left]!, Math.min(best, list[left + 1]!))
      else this.#push(difference < 0 ? list[left]! : value[right]!, best)
      if (difference <= 0) left += 2
      if (difference >= 0) right += 2
    }
  }

  /** One condition each: one that passes is enough, and missing is what has no value at all. */
  #mergeRepeated(list: Int32Array, first: number, value: Int32Array, inner: number, child: PathNode): void {
    const { place } = this.#shapes[child.id]!
    const before = new Map<number, number>()
    const now = new Map<number, number>()
    for (let at = first; at < list.length; at += 2) {
      const demand = list[at]! - place
      if (demand >= 0 && demand < this.#plan.nodes[child.id]!.demands.length) before.set(demand, list[at + 1]!)
      else this.#push(list[at]!, list[at + 1]!)
    }
    for (let at = inner; at < value.length; at += 2) now.set(value[at]!, value[at + 1]!)
    for (const demand of new Set([...before.keys(), ...now.keys()])) {
      const both = either(before.get(demand) ?? infeasible, now.get(demand) ?? infeasible)
      if (both !== infeasible) this.#push(place + demand, both)
    }
  }

  /** What an open object or array is as a value. */
  #end(finding: number): number {
    const known = this.#endedAs[finding]!
    if (known !== 0) return known - 1
    const list = this.#pool.listOf(finding)
    const node = this.#nodes[Math.trunc(list[0]! / 3)]!
    const presences = 1 + seenWords(node)
    const first = presences + this.#presenceWords
    this.#beginEnded(list)
    if (list[0]! % 3 === openArray) this.#endArray(this.#plan.nodes[node.id]!, this.#shapes[node.id]!, list, presences)
    else this.#endObject(node, list, first)
    const result = this.#keep()
    this.#endedAs[finding] = result + 1
    return result
  }

  /** In the scratch, with the presences of what was open. */
  #beginEnded(list: Int32Array): void {
    const node = this.#nodes[Math.trunc(list[0]! / 3)]!
    const presences = 1 + seenWords(node)
    this.#blank(node, ended)
    this.#scratch.set(list.subarray(presences, presences + this.#presenceWords), presences)
  }

  /** All parts of a demand must be satisfied; the earliest of their conditions is the whole's. */
  #endObject(node: PathNode, list: Int32Array, first: number): void {
    const { wholesOf, absentParts, needed, absentOwn } = this.#shapes[node.id]!
    const touched: number[] = []
    if (this.#counts.length < needed.length) {
      this.#counts = new Int32Array(needed.length)
      this.#earliest = new Int32Array(needed.length)
    }
    const counts = this.#counts
    const earliest = this.#earliest
    for (let at = first; at < list.length; at += 2) {
      const order = list[at + 1]!
      for (const whole of wholesOf[list[at]!]!) {
        if (counts[whole]!++ === 0) {
          touched.push(whole)
          earliest[whole] = order
        } else if (order < earliest[whole]!) earliest[whole] = order
      }
    }
    for (const [place, wholes] of absentParts) {
      if ((list[1 + (place >> 5)]! & (1 << (place & 31))) !== 0) continue
      for (const whole of wholes) {
        if (counts[whole]!++ > 0) continue
        touched.push(whole)
        earliest[whole] = byAbsence
      }
    }
    const satisfied = touched.filter(demand => counts[demand] === needed[demand])
    for (const demand of touched) counts[demand] = 0
    for (const demand of absentOwn) {
      satisfied.push(demand)
      earliest[demand] = byAbsence
    }
    for (const demand of satisfied.sort((left, right) => left - right)) this.#push(demand, earliest[demand]!)
  }

  /** Conditions before the first that chose an element are satisfied by absence only if no element at all has the field. */
  #endArray({ demands }: Plan, { absentDemands }: Shape, list: Int32Array, presences: number): void {
    const results = new Map<number, number>(absentDemands.map(demand => [demand, byAbsence]))
    for (let at = presences + this.#presenceWords; at < list.length; at += 2) results.set(list[at]!, list[at + 1]!)
    for (const demand of [...results.keys()].sort((left, right) => left - right)) {
      const chosen = results.get(demand)!
      const { conditions, own } = demands[demand]!
      // With one condition, a value that passes is enough, whatever the others are.
      const isSure = own !== undefined && chosen === own.order
      const isBroken = conditions.some(
        ({ order, presence }) =>
          presence >= 0 && order < chosen && (list[presences + (presence >> 5)]! & (1 << (presence & 31))) !== 0
      )
      if (isSure || !isBroken) this.#push(demand, chosen)
    }
  }

  /** Begins a list about a node in the scratch, without results. */
  #blank(node: PathNode, about: number): void {
    this.#length = 1 + seenWords(node) + this.#presenceWords
    while (this.#scratch.length < this.#length) this.#scratch = wider(this.#scratch)
    this.#scratch.fill(0, 0, this.#length)
    this.#scratch[0] = node.id * 3 + about
  }

  #push(demand: number, order: number): void {
    if (this.#length + 2 > this.#scratch.length) this.#scratch = wider(this.#scratch)
    this.#scratch[this.#length++] = demand
    this.#scratch[this.#length++] = order
  }

  /** The number of the list in the scratch. */
  #keep(): number {
    return this.#pool.numberOf(this.#scratch, this.#length)
  }

  /** Forgets all but what is open. */
  #startAnew(depth: number, finding: number): number {
    const open = Array.from(this.#open.subarray(1, depth), number => this.#listOf(number))
    const last = this.#listOf(finding)
    for (const array of this.#varied) array?.forgetNumbers()
    this.#pool.clear()
    this.#values.clear()
    this.#stepFrom.fill(-1)
    this.#endedAs.fill(0)
    this.#beginnings.fill(0)
    const numberOf = (list: Int32Array | undefined): number =>
      list === undefined ? varied : this.#pool.numberOf(list, list.length)
    for (const [at, list] of open.entries()) this.#open[at + 1] = numberOf(list)
    return numberOf(last)
  }

  #listOf(finding: number): Int32Array | undefined {
    return finding === varied ? undefined : this.#pool.listOf(finding)
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
