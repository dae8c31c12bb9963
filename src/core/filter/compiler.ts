import { ElementMatcher } from './element-matcher.ts'
import { planElements } from './element-plan.ts'
import type { Condition, Expression, Pattern } from './language.ts'
import { ElementTape } from './element-tape.ts'
import { LeafProgram, type Numbered } from './leaf-program.ts'
import { PathNode } from './path-node.ts'
import { Scanner } from './scanner.ts'

/** Which path of the document a condition looks at; undefined when it looks at something outside. */
export type PathOf = (condition: Condition) => readonly string[] | undefined

/** A condition that looks outside of the document is told here, before `matches` is asked. */
export const [fails, holds] = [0, 1]

interface CompiledPattern {
  /** With every condition told from outside. */
  readonly testOutside: (outside: Uint8Array) => boolean
  /** Without regard to elements of arrays. */
  readonly test: (document: number, outside: Uint8Array) => boolean
  /** Conditions may have to hold in the same elements. */
  readonly tellsElements: boolean
  /** A match without regard to elements is necessary for one with regard. Not so where fields may be missing. */
  readonly isNecessary: boolean
}

/**
 * Patterns over the bytes of a document, all in one scan. One per thread: it keeps the state of the document that was scanned
 * last.
 */
export class CompiledPatterns {
  readonly #scanner: Scanner
  readonly #patterns: readonly CompiledPattern[]
  readonly #elements: ElementMatcher | undefined
  /** By number of a condition (those of all patterns, in order): `fails` or `holds`, for those outside. */
  readonly outside: Uint8Array
  /** Documents are counted, and what was found out is noted with the number. */
  #document = 0
  #elementsRead = 0

  constructor(patterns: readonly Pattern[], pathOf: PathOf) {
    let count = 0
    const numbered = patterns.map(pattern => pattern.conditions.map(condition => ({ condition, at: count++ })))
    const trie = buildTrie(numbered.flat(), pathOf)
    this.outside = new Uint8Array(count)
    const plan = planElements(patterns, ({ index }, pattern) => numbered[pattern]![index]!.at, pathOf, trie)
    this.#patterns = patterns.map((pattern, index) => {
      const numbers = numbered[index]!
      const allOutside = compileExpression(pattern.expression, numbers, undefined)
      return {
        test: compileExpression(pattern.expression, numbers, trie),
        testOutside: (outside: Uint8Array) => allOutside(0, outside),
        tellsElements: plan?.patterns[index] !== undefined,
        isNecessary: pattern.conditions.every(condition => !condition.takesAbsent || pathOf(condition) === undefined)
      }
    })
    this.#elements = plan && new ElementMatcher(plan, trie.nodes)
    this.#scanner = new Scanner(trie.root, new ElementTape(trie.nodes.length))
  }

  /** Looks at a document; false when it is no JSON object or array. `view` is over `bytes`. */
  scan(bytes: Uint8Array, view: DataView, from: number, to: number): boolean {
    return this.#scanner.scan(++this.#document, bytes, view, from, to)
  }

  /** Instead of a scan: there is no document, and everything in it is missing. */
  scanNothing(): void {
    this.#document++
    this.#scanner.entangled = false
  }

  /** Does the pattern match when `outside` tells of every condition? */
  matchesOutside(pattern: number): boolean {
    return this.#patterns[pattern]!.testOutside(this.outside)
  }

  /** Does the document that was scanned last match? Undefined when that takes the plain matcher: names were repeated. */
  matches(pattern: number): boolean | undefined {
    const { test, tellsElements, isNecessary } = this.#patterns[pattern]!
    if (!tellsElements || !this.#scanner.entangled) return test(this.#document, this.outside)
    if (isNecessary && !test(this.#document, this.outside)) return false
    if (this.#elementsRead !== this.#document) {
      this.#elementsRead = this.#document
      this.#elements!.read(this.#scanner.tape)
    }
    return this.#elements!.matches(pattern, this.outside)
  }
}

export interface Trie {
  readonly root: PathNode
  readonly nodes: readonly PathNode[]
  /** By number of a condition: the nodes on its path, the root first, and its place in the program of the last. */
  readonly conditions: readonly { readonly path: readonly PathNode[]; readonly place: number }[]
}

function buildTrie(numbered: readonly Numbered[], pathOf: PathOf): Trie {
  const nodes: PathNode[] = []
  const make = (parent: PathNode | undefined, place: number): PathNode => {
    nodes.push(new PathNode(nodes.length, parent, place))
    return nodes.at(-1)!
  }
  const root = make(undefined, 0)
  const conditionsAt = new Map<PathNode, Numbered[]>()
  const conditions = numbered.map(each => {
    const path = pathOf(each.condition)
    if (path === undefined) return { path: [], place: 0 }
    const steps = [root]
    for (const name of path) steps.push(steps.at(-1)!.childNamed(name, make))
    const node = steps.at(-1)!
    const others = conditionsAt.get(node) ?? []
    conditionsAt.set(node, others)
    return { path: steps, place: others.push(each) - 1 }
  })
  for (const [node, conditions] of conditionsAt) node.leaf = new LeafProgram(conditions)
  return { root, nodes, conditions }
}

/** Without a trie all conditions are told from outside. */
function compileExpression(
  expression: Expression,
  numbers: readonly Numbered[],
  trie: Trie | undefined
): CompiledPattern['test'] {
  switch (expression.kind) {
    case 'condition': {
      const { at } = numbers[expression.condition.index]!
      const inside = trie?.conditions[at]
      const leaf = inside?.path.at(-1)?.leaf
      if (inside === undefined || leaf === undefined) return (_, outside) => outside[at] === holds
      const { place } = inside
      if (!expression.condition.takesAbsent) return document => leaf.passes(document, place)
      return document => leaf.passes(document, place) || !leaf.isSeen(document)
    }
    case 'all': {
      const parts = expression.parts.map(part => compileExpression(part, numbers, trie))
      return (document, outside) => {
        for (const part of parts) if (!part(document, outside)) return false
        return true
      }
    }
    case 'any': {
      const branches = expression.branches.map(branch => compileExpression(branch, numbers, trie))
      return (document, outside) => {
        for (const branch of branches) if (branch(document, outside)) return true
        return false
      }
    }
    default:
      throw new Error(`no such expression: ${expression satisfies never}`)
  }
}
