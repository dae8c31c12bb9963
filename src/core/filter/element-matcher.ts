import { byAbsence, infeasible, type ElementPlan, type Plan } from './element-plan.ts'
import { literalAt, literalLength, numberEnd, stringEnd, unescape } from './json-bytes.ts'
import { Marks } from './leaf-program.ts'
import type { PathNode } from './path-node.ts'

/** Arrays in arrays on the paths of a pattern: deeper ones are left to the plain matcher. */
const maxDepth = 200

/**
 * Matches one pattern where arrays hold objects: all conditions of a branch have to hold in the same elements. It walks the
 * same bytes again, only where the paths lead, and tells for each value what is the earliest condition (in the order of
 * names) that is satisfied by a value within, if all can be satisfied there at all. "Earliest" decides what missing means, as
 * in event-ruler: a missing field is looked for in the chosen element only when a condition before it has chosen one.
 */
export class ElementMatcher {
  readonly #root: PathNode
  readonly #plan: ElementPlan
  readonly #marks: Marks
  /** By leaf: values so far. */
  readonly #values: Float64Array
  #view: DataView = new DataView(new ArrayBuffer(0))
  #bytes: Uint8Array = new Uint8Array(0)
  #end = 0
  #at = 0
  #isBeyond = false
  #scratch = new Uint8Array(256)
  /** Results of the values that are open, one after the other. */
  #results = new Int32Array(1024)

  /** Of that many conditions and leaves, of all patterns. */
  constructor(root: PathNode, plan: ElementPlan, conditions: number, leaves: number) {
    this.#root = root
    this.#plan = plan
    this.#marks = new Marks(conditions, leaves)
    this.#values = new Float64Array(leaves)
  }

  /** `bytes` from `from` to `to` was found to be JSON. Undefined: names are repeated, or arrays nested, too much to say. */
  matches(bytes: Uint8Array, from: number, to: number, outside: Uint8Array): boolean | undefined {
    if (
      this.#bytes.buffer !== bytes.buffer ||
      this.#bytes.byteOffset !== bytes.byteOffset ||
      this.#bytes.length !== bytes.length
    )
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    if (this.#plan.isIrregular) return undefined
    this.#bytes = bytes
    this.#at = from
    this.#end = to
    this.#isBeyond = false
    this.#value(this.#root, 0, 0)
    if (this.#isBeyond) return undefined
    for (let branch = 0; branch < this.#plan.branches.length; branch++) {
      const { demand, outside: conditions } = this.#plan.branches[branch]!
      if (demand >= 0 && this.#results[demand] === infeasible) continue
      let isOpen = true
      for (const at of conditions) isOpen &&= outside[at] === 1
      if (isOpen) return true
    }
    return false
  }

  /** Reads the value at `#at` and writes a result for each demand at `node` from `to` on. */
  #value(node: PathNode, to: number, depth: number): void {
    const plan = this.#plan.nodes[node.id]
    this.#space()
    if (plan !== undefined) this.#reserve(to, plan.demands.length)
    const byte = this.#bytes[this.#at]!
    if (plan === undefined || this.#isBeyond) this.#skip()
    else if (depth > maxDepth) this.#isBeyond = true
    else if (byte === 123) this.#object(node, plan, to, depth)
    else if (byte === 91) this.#array(node, plan, to, depth)
    else {
      this.#look(node)
      this.#ownResults(plan, to)
    }
  }

  #ownResults({ demands }: Plan, to: number): void {
    const { hits, generation } = this.#marks
    for (let index = 0; index < demands.length; index++) {
      const { own, takesAbsence } = demands[index]!
      if (own === undefined) this.#results[to + index] = takesAbsence ? byAbsence : infeasible
      else this.#results[to + index] = hits[own.at] === generation ? own.order : infeasible
    }
  }

  #object(node: PathNode, plan: Plan, to: number, depth: number): void {
    const count = plan.demands.length
    for (let index = 0; index < count; index++) {
      const { own } = plan.demands[index]!
      this.#results[to + index] = own === undefined || own.takesAbsent ? byAbsence : infeasible
    }
    const inner = to + count
    let seen = 0
    let seenMore: Set<number> | undefined
    this.#at++
    this.#space()
    while (!this.#isBeyond && this.#bytes[this.#at] !== 125) {
      const found = stringEnd(this.#bytes, this.#view, this.#at + 1, this.#end)
      const path = this.#childPath(node, this.#at + 1, found)
      this.#at = (found >> 1) + 1
      this.#space()
      this.#at++
      this.#space()
      if (path < 0) this.#skip()
      else {
        const bit = path < 31 ? 1 << path : 0
        const isRepeated = bit === 0 ? seenMore?.has(path) === true : (seen & bit) !== 0
        // Two values on one path may be chosen from independently: rare enough for the plain matcher.
        if (isRepeated || this.#isDotted) {
          this.#isBeyond = true
          return
        }
        if (bit === 0) (seenMore ??= new Set()).add(path)
        seen |= bit
        this.#value(node.children[path]!, inner, depth + 1)
        this.#combine(plan.parts[path]!, to, inner)
      }
      this.#space()
      if (this.#bytes[this.#at] === 44) {
        this.#at++
        this.#space()
      }
    }
    this.#at++
    for (let path = 0; path < node.children.length; path++) {
      if (path < 31 ? (seen & (1 << path)) !== 0 : seenMore?.has(path) === true) continue
      const child = this.#plan.nodes[node.children[path]!.id]
      if (child === undefined) continue
      for (const { demand, wholes } of plan.parts[path]!) {
        if (child.demands[demand]!.takesAbsence) continue
        for (const whole of wholes) this.#results[to + whole] = infeasible
      }
    }
  }

  /** All parts must be satisfied; the earliest of their conditions is the whole's. */
  #combine(parts: Plan['parts'][number], to: number, inner: number): void {
    const results = this.#results
    for (const { demand, wholes } of parts) {
      const part = results[inner + demand]!
      for (const whole of wholes) {
        const before = results[to + whole]!
        if (part === infeasible || (before !== infeasible && part < before)) results[to + whole] = part
      }
    }
  }

  #array(node: PathNode, plan: Plan, to: number, depth: number): void {
    const count = plan.demands.length
    // The results, then those of an element, then how many values the demands' leaves had before.
    const element = to + count
    this.#reserve(element, count)
    const before = this.#plan.takesAbsent ? this.#countsOf(plan) : undefined
    for (let index = 0; index < count; index++) this.#results[to + index] = infeasible
    this.#at++
    this.#space()
    while (!this.#isBeyond && this.#bytes[this.#at] !== 93) {
      const byte = this.#bytes[this.#at]!
      if (byte === 123 || byte === 91) {
        this.#value(node, element, depth + 1)
        this.#keepBest(element, to, count)
      } else {
        this.#look(node)
        this.#ownResults(plan, element)
        this.#keepBest(element, to, count)
      }
      this.#space()
      if (this.#bytes[this.#at] === 44) {
        this.#at++
        this.#space()
      }
    }
    this.#at++
    if (before !== undefined && !this.#isBeyond) this.#settleAbsence(plan, to, before)
  }

  /** Of the elements that satisfy, the one with the earliest condition asks least of the other elements. */
  #keepBest(element: number, to: number, count: number): void {
    const results = this.#results
    for (let index = 0; index < count; index++) {
      const candidate = results[element + index]!
      const best = results[to + index]!
      if (candidate !== infeasible && (best === infeasible || candidate < best)) results[to + index] = candidate
    }
  }

  /** Conditions before the first that chose an element are satisfied by absence only if no element at all has the field. */
  #settleAbsence({ demands }: Plan, to: number, before: readonly number[]): void {
    let next = 0
    for (let index = 0; index < demands.length; index++) {
      const { conditions, own, takesAbsence } = demands[index]!
      let best = this.#results[to + index]!
      if (best === infeasible && takesAbsence) best = byAbsence
      for (const { order, leaf } of conditions) {
        const isThere = this.#values[leaf]! > before[next++]!
        if (isThere && order < best) best = infeasible
      }
      // With one condition, a value that passes is enough, whatever the others are.
      this.#results[to + index] = own !== undefined && this.#results[to + index] === own.order ? own.order : best
    }
  }

  #countsOf({ demands }: Plan): number[] {
    return demands.flatMap(({ conditions }) => conditions.map(({ leaf }) => this.#values[leaf]!))
  }

  /** Looks at the scalar at `#at`, and goes behind it. */
  #look({ leaf }: PathNode): void {
    const bytes = this.#bytes
    const at = this.#at
    const end = this.#end
    if (leaf === undefined) {
      this.#skip()
      return
    }
    this.#values[leaf.leaf]!++
    this.#marks.begin()
    const byte = bytes[at]!
    if (byte === 34) {
      const found = stringEnd(bytes, this.#view, at + 1, end)
      const to = found >> 1
      if ((found & 1) === 0) leaf.onString(this.#marks, bytes, at + 1, to)
      else leaf.onString(this.#marks, this.#scratch, 0, this.#unescaped(at + 1, to))
      this.#at = to + 1
      return
    }
    const which = literalAt(bytes, at, end)
    if (which >= 0) {
      leaf.onLiteral(this.#marks, which)
      this.#at = at + literalLength(which)
    } else {
      this.#at = numberEnd(bytes, at, end)
      leaf.onNumber(this.#marks, bytes, at, this.#at)
    }
  }

  #isDotted = false

  /** Which child of `node` a name leads to, -1 for none; `#isDotted` when it leads further down. */
  #childPath(node: PathNode, from: number, found: number): number {
    const to = found >> 1
    let child: PathNode | undefined
    if ((found & 1) === 0) child = node.find(this.#bytes, from, to)
    else {
      const length = this.#unescaped(from, to)
      this.#scratch[length] = 34
      child = node.find(this.#scratch, 0, length)
    }
    if (child === undefined) {
      this.#isDotted = false
      return -1
    }
    const path = node.children.indexOf(child)
    this.#isDotted = path < 0
    return this.#isDotted ? 0 : path
  }

  #unescaped(from: number, to: number): number {
    if (this.#scratch.length <= to - from) this.#scratch = new Uint8Array((to - from) * 2)
    return unescape(this.#bytes, from, to, this.#scratch)
  }

  #space(): void {
    const bytes = this.#bytes
    for (;;) {
      const byte = bytes[this.#at]
      if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) return
      this.#at++
    }
  }

  /** Goes behind a value that nobody asks for. */
  #skip(): void {
    const bytes = this.#bytes
    const view = this.#view
    const end = this.#end
    let at = this.#at
    let depth = 0
    do {
      const byte = bytes[at]!
      if (byte === 34) at = (stringEnd(bytes, view, at + 1, end) >> 1) + 1
      else {
        if (byte === 123 || byte === 91) depth++
        else if (byte === 125 || byte === 93) depth--
        else if (depth === 0) {
          // A number or a word: up to what cannot belong to it.
          while (at < end && isInScalar(bytes[at]!)) at++
          break
        }
        at++
      }
    } while (depth > 0 && at < end)
    this.#at = at
  }

  #reserve(from: number, count: number): void {
    if (from + count <= this.#results.length) return
    const wider = new Int32Array((from + count) * 2)
    wider.set(this.#results)
    this.#results = wider
  }
}

const isInScalar = (byte: number): boolean => byte !== 44 && byte !== 93 && byte !== 125 && byte > 32
