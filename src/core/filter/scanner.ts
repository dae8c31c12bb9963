import { literalAt, literalLength, numberEnd, stringEnd, unescape } from './json-bytes.ts'
import type { LeafProgram, Marks } from './leaf-program.ts'
import type { PathNode } from './path-node.ts'

/** What is open, as its closing mark. */
const none = 0
const object = 125
const array = 93

/**
 * Walks one JSON document in bytes, once: checks all of it, and lets conditions look at the values on their paths. Nothing is
 * made of the rest. Allocates nothing for a document, but grows with the deepest and with the longest escaped string.
 */
export class Scanner {
  readonly #root: PathNode
  readonly #marks: Marks
  /** By depth: what is open, and which path it is on. */
  #kinds = new Uint8Array(64)
  readonly #nodes: (PathNode | undefined)[] = []
  #found: PathNode | undefined
  #scratch = new Uint8Array(256)
  /** An array held objects or arrays where conditions that belong together look: who matched may have to be told apart. */
  entangled = false

  constructor(root: PathNode, marks: Marks) {
    this.#root = root
    this.#marks = marks
  }

  /**
   * True when `bytes` from `at` to `end` is a JSON object or array. Then the marks of the current generation say what its
   * values passed. `view` is over `bytes`.
   */
  scan(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
    this.entangled = false
    const nodes = this.#nodes
    let kinds = this.#kinds
    let depth = 0
    /** What the innermost open container is, and which path it is on. */
    let kind = none
    let parent: PathNode | undefined
    let node: PathNode | undefined = this.#root
    at = skipSpace(bytes, at, end)
    if (at >= end || (bytes[at]! | 32) !== 123) return false
    for (;;) {
      let byte = bytes[at]!
      if (byte === 34) {
        const found = stringEnd(bytes, view, at + 1, end)
        if (found < 0) return false
        if (node !== undefined && node.leaf !== undefined) this.#string(node.leaf, bytes, at + 1, found)
        at = (found >> 1) + 1
      } else if ((byte | 32) === 123) {
        if (node !== undefined && node.sensitive && kind === array) this.entangled = true
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
        at = this.#scalar(node === undefined ? undefined : node.leaf, bytes, at, end)
        if (at < 0) return false
      }
      // A value has ended, and maybe what it was in.
      for (;;) {
        at = skipSpace(bytes, at, end)
        if (kind === none) return at === end
        if (at >= end) return false
        const mark = bytes[at++]!
        if (mark === 44) break
        if (mark !== kind) return false
        kind = kinds[--depth]!
        parent = nodes[depth]
      }
      at = skipSpace(bytes, at, end)
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
    this.#found = parent === undefined ? undefined : this.#child(parent, bytes, at + 1, found)
    at = skipSpace(bytes, (found >> 1) + 1, end)
    if (at >= end || bytes[at] !== 58) return -1
    at = skipSpace(bytes, at + 1, end)
    return at < end ? at : -1
  }

  #scalar(leaf: LeafProgram | undefined, bytes: Uint8Array, at: number, end: number): number {
    const byte = bytes[at]!
    if (byte === 45 || (byte >= 48 && byte <= 57)) {
      const next = numberEnd(bytes, at, end)
      if (next >= 0 && leaf !== undefined) leaf.onNumber(this.#marks, bytes, at, next)
      return next
    }
    const which = literalAt(bytes, at, end)
    if (which < 0) return -1
    if (leaf !== undefined) leaf.onLiteral(this.#marks, which)
    return at + literalLength(which)
  }

  /** `found` as `stringEnd` tells it. */
  #string(leaf: LeafProgram, bytes: Uint8Array, from: number, found: number): void {
    const to = found >> 1
    if ((found & 1) === 0) leaf.onString(this.#marks, bytes, from, to)
    else leaf.onString(this.#marks, this.#scratch, 0, this.#unescaped(bytes, from, to))
  }

  #child(parent: PathNode, bytes: Uint8Array, from: number, found: number): PathNode | undefined {
    const to = found >> 1
    if ((found & 1) === 0) return parent.find(bytes, from, to)
    const length = this.#unescaped(bytes, from, to)
    this.#scratch[length] = 34
    return parent.find(this.#scratch, 0, length)
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
