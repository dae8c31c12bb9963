import type { ElementTape } from './element-tape.ts'
import { literalAt, literalLength, numberEnd, stringEnd, unescape } from './json-bytes.ts'
import type { LeafProgram } from './leaf-program.ts'
import type { PathNode } from './path-node.ts'

/** What is open, as its closing mark. */
const object = 125
const array = 93

/** Digits that fit into 31 bits whatever they are. */
const safeDigits = 9

/**
 * Walks one JSON document in bytes, once: checks all of it, and lets conditions look at the values on their paths. Nothing is
 * made of the rest. Allocates nothing for a document, but grows with the deepest and with the longest escaped string.
 */
export class Scanner {
  readonly #root: PathNode
  /** What was seen where elements of arrays may have to be told apart. */
  readonly tape: ElementTape
  /** By depth: what is open, and which path it is on. */
  #kinds = new Uint8Array(64)
  readonly #nodes: (PathNode | undefined)[] = []
  #found: PathNode | undefined
  #scratch = new Uint8Array(256)
  /** The number of the document. */
  #document = 0
  /** An array held objects or arrays where conditions that belong together look: who matched may have to be told apart. */
  entangled = false

  constructor(root: PathNode, tape: ElementTape) {
    this.#root = root
    this.tape = tape
  }

  /**
   * True when `bytes` from `at` to `end` is a JSON object or array. Then the programs of the paths have noted under the number
   * `document` what its values passed. `view` is over `bytes`.
   */
  scan(document: number, bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
    this.#document = document
    this.entangled = false
    this.tape.clear()
    const nodes = this.#nodes
    let kinds = this.#kinds
    let depth = 0
    /** What the innermost open container is, and which path it is on. */
    let kind = 0
    let parent: PathNode | undefined
    let node: PathNode | undefined = this.#root
    at = skipSpace(bytes, at, end)
    if (at >= end || (bytes[at]! | 32) !== 123) return false
    /** The outcome of the value before in the same array, -1 for none: another like it changes nothing. */
    let last = -1
    for (;;) {
      let byte = bytes[at]!
      let outcome = -1
      if (byte === 34) {
        const found = stringEnd(bytes, view, at + 1, end)
        if (found < 0) return false
        if (node !== undefined) outcome = node.leaf === undefined ? 0 : this.#string(node.leaf, bytes, at + 1, found)
        at = (found >> 1) + 1
      } else if (byte <= 57 && byte >= 48) {
        // Most numbers are whole, and short: read on the way.
        const from = at++
        let value = byte - 48
        if (value !== 0) {
          while (at < end) {
            const digit = bytes[at]! - 48
            if (digit < 0 || digit > 9) break
            value = (Math.imul(value, 10) + digit) | 0
            at++
          }
        }
        byte = at < end ? bytes[at]! : 0
        if (byte === 46 || byte === 101 || byte === 69 || at - from > safeDigits) {
          at = numberEnd(bytes, from, end)
          if (at < 0) return false
          if (node !== undefined) outcome = node.leaf === undefined ? 0 : node.leaf.onNumber(document, bytes, from, at)
        } else if (node !== undefined) outcome = node.leaf === undefined ? 0 : node.leaf.onInteger(document, value)
      } else if ((byte | 32) === 123) {
        if (node !== undefined && node.isTracked) {
          if (kind === array && node.sensitive) this.entangled = true
          this.tape.open(node.id, byte === 91)
        }
        last = -1
        if (depth === kinds.length) kinds = this.#grow()
        kinds[depth] = kind
        nodes[depth++] = parent
        kind = byte === 123 ? object : array
        parent = node
        at = skipSpace(bytes, at + 1, end)
        if (at >= end) return false
        byte = bytes[at]!
        // A closing mark is two after its opening mark, and is seen to below.
        if (byte !== kind) {
          if (kind === object) {
            at = this.#name(bytes, view, at, end, parent)
            if (at < 0) return false
            node = this.#found
          }
          continue
        }
      } else {
        const from = at
        const which = byte === 45 ? -1 : literalAt(view, at, end)
        at = byte === 45 ? numberEnd(bytes, at, end) : which < 0 ? -1 : at + literalLength(which)
        if (at < 0) return false
        if (node !== undefined && node.leaf === undefined) outcome = 0
        else if (node !== undefined)
          outcome = which < 0 ? node.leaf!.onNumber(document, bytes, from, at) : node.leaf!.onLiteral(document, which)
      }
      if (outcome >= 0 && outcome !== last && node!.isTracked) {
        this.tape.value(node!.id, outcome)
        if (kind === array) last = outcome
      }
      // In a list of plain values the next one follows at once.
      if (kind === array && at + 1 < end && bytes[at] === 44 && bytes[at + 1]! > 32) {
        at++
        node = parent
        continue
      }
      // A value has ended, and maybe what it was in.
      for (;;) {
        if (at >= end) return false
        let mark = bytes[at]!
        if (mark <= 32) {
          at = skipSpace(bytes, at, end)
          if (at >= end) return false
          mark = bytes[at]!
        }
        at++
        if (mark === 44) break
        if (mark !== kind) return false
        if (parent !== undefined && parent.isTracked) this.tape.close()
        last = -1
        kind = kinds[--depth]!
        parent = nodes[depth]
        if (depth === 0) return skipSpace(bytes, at, end) === end
      }
      if (at < end && bytes[at]! <= 32) at = skipSpace(bytes, at, end)
      if (at >= end) return false
      if (kind === object) {
        at = this.#name(bytes, view, at, end, parent)
        if (at < 0) return false
        node = this.#found
      } else node = parent
    }
  }

  /** Reads a name and its colon, up to the value; -1 when they are none. `#found` is where the name leads. */
  #name(bytes: Uint8Array, view: DataView, at: number, end: number, parent: PathNode | undefined): number {
    if (bytes[at] !== 34) return -1
    const found = stringEnd(bytes, view, at + 1, end)
    if (found < 0) return -1
    this.#found = undefined
    if (parent !== undefined) this.#child(parent, bytes, at + 1, found)
    at = (found >> 1) + 1
    if (at < end && bytes[at]! <= 32) at = skipSpace(bytes, at, end)
    if (at >= end || bytes[at] !== 58) return -1
    at++
    if (at < end && bytes[at]! <= 32) at = skipSpace(bytes, at, end)
    return at < end ? at : -1
  }

  /** `found` as `stringEnd` tells it. */
  #string(leaf: LeafProgram, bytes: Uint8Array, from: number, found: number): number {
    const to = found >> 1
    if ((found & 1) === 0) return leaf.onString(this.#document, bytes, from, to)
    return leaf.onString(this.#document, this.#scratch, 0, this.#unescaped(bytes, from, to))
  }

  #child(parent: PathNode, bytes: Uint8Array, from: number, found: number): void {
    const to = found >> 1
    let child: PathNode | undefined
    if ((found & 1) === 0) child = parent.find(bytes, from, to)
    else {
      const length = this.#unescaped(bytes, from, to)
      this.#scratch[length] = 34
      child = parent.find(this.#scratch, 0, length)
    }
    // A name with dots leads several steps: rare enough not to be written down.
    if (child !== undefined && child.isTracked && child.parent !== parent) this.tape.isBeyond = true
    this.#found = child
  }

  #unescaped(bytes: Uint8Array, from: number, to: number): number {
    if (this.#scratch.length <= to - from) this.#scratch = new Uint8Array((to - from) * 2)
    return unescape(bytes, from, to, this.#scratch)
  }

  #grow(): Uint8Array<ArrayBuffer> {
    const wider = new Uint8Array(this.#kinds.length * 4)
    wider.set(this.#kinds)
    this.#kinds = wider
    return wider
  }
}

function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) {
    const byte = bytes[at]!
    if (byte > 32) break
    if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) break
    at++
  }
  return at
}
