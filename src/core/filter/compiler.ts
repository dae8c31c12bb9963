import { ElementMatcher } from './element-matcher.ts'
import { planElements } from './element-plan.ts'
import type { Condition, Expression, Pattern } from './language.ts'
import { LeafProgram, Marks, type Numbered } from './leaf-program.ts'
import { PathNode } from './path-node.ts'
import { Scanner } from './scanner.ts'

/** Which path of the document a condition looks at; undefined when it looks at something outside. */
export type PathOf = (condition: Condition) => readonly string[] | undefined

/** A condition that looks outside of the document is told here, before `matches` is asked. */
export const [fails, holds] = [0, 1]

interface CompiledPattern {
  /** With every condition told from outside. */
  readonly testOutside: (outside: Uint8Array) => boolean
  readonly test: (marks: Marks, outside: Uint8Array) => boolean
  /** Absent where elements of arrays need never be told apart. */
  readonly elements: ElementMatcher | undefined
  /** A match without regard to elements is necessary for one with regard. Not so where fields may be missing. */
  readonly isNecessary: boolean
}

/**
 * Patterns over the bytes of a document, all in one scan. One per thread: it keeps the state of the document that was scanned
 * last.
 */
export class CompiledPatterns {
  readonly #marks: Marks
  readonly #scanner: Scanner
  readonly #patterns: readonly CompiledPattern[]
  /** By number of a condition (those of all patterns, in order): `fails` or `holds`, for those outside. */
  readonly outside: Uint8Array
  #bytes: Uint8Array = new Uint8Array(0)
  #from = 0
  #to = 0

  constructor(patterns: readonly Pattern[], pathOf: PathOf) {
    let count = 0
    const numbered = patterns.map(pattern => pattern.conditions.map(condition => ({ condition, at: count++ })))
    const trie = buildTrie(numbered.flat(), pathOf)
    this.#marks = new Marks(count, trie.leaves)
    this.outside = new Uint8Array(count)
    this.#patterns = patterns.map((pattern, index) => {
      const numbers = numbered[index]!
      const plan = planElements(pattern, numbers, pathOf, trie)
      const allOutside = compileExpression(pattern.expression, numbers, new Int32Array(count).fill(-1))
      return {
        test: compileExpression(pattern.expression, numbers, trie.leafOf),
        testOutside: (outside: Uint8Array) => allOutside(this.#marks, outside),
        elements: plan && new ElementMatcher(trie.root, plan, count, trie.leaves),
        isNecessary: pattern.conditions.every(condition => !condition.takesAbsent || pathOf(condition) === undefined)
      }
    })
    this.#scanner = new Scanner(trie.root, this.#marks)
  }

  /** Looks at a document; false when it is no JSON object or array. `view` is over `bytes`. */
  scan(bytes: Uint8Array, view: DataView, from: number, to: number): boolean {
    this.#marks.begin()
    this.#bytes = bytes
    this.#from = from
    this.#to = to
    return this.#scanner.scan(bytes, view, from, to)
  }

  /** Instead of a scan: there is no document, and everything in it is missing. */
  scanNothing(): void {
    this.#marks.begin()
    this.#scanner.entangled = false
  }

  /** Does the pattern match when `outside` tells of every condition? */
  matchesOutside(pattern: number): boolean {
    return this.#patterns[pattern]!.testOutside(this.outside)
  }

  /** Does the document that was scanned last match? Undefined when that takes the plain matcher: names were repeated. */
  matches(pattern: number): boolean | undefined {
    const { test, elements, isNecessary } = this.#patterns[pattern]!
    if (elements === undefined || !this.#scanner.entangled) return test(this.#marks, this.outside)
    if (isNecessary && !test(this.#marks, this.outside)) return false
    return elements.matches(this.#bytes, this.#from, this.#to, this.outside)
  }
}

export interface Trie {
  readonly root: PathNode
  readonly nodes: readonly PathNode[]
  readonly leaves: number
  /** By number of a condition: its leaf, -1 for those outside. */
  readonly leafOf: Int32Array
  /** By number of a condition: the nodes on its path, the root first. */
  readonly pathOf: readonly (readonly PathNode[])[]
}

function buildTrie(numbered: readonly Numbered[], pathOf: PathOf): Trie {
  const nodes: PathNode[] = []
  const make = (): PathNode => {
    nodes.push(new PathNode(nodes.length))
    return nodes.at(-1)!
  }
  const root = make()
  const conditionsAt = new Map<PathNode, Numbered[]>()
  const paths = numbered.map(each => {
    const path = pathOf(each.condition)
    if (path === undefined) return []
    const steps = [root]
    for (const name of path) steps.push(steps.at(-1)!.childNamed(name, make))
    const node = steps.at(-1)!
    const others = conditionsAt.get(node)
    if (others === undefined) conditionsAt.set(node, [each])
    else others.push(each)
    return steps
  })
  const leafOf = new Int32Array(numbered.length).fill(-1)
  let leaves = 0
  for (const [node, conditions] of conditionsAt) {
    node.leaf = new LeafProgram(leaves++, conditions)
    for (const { at } of conditions) leafOf[at] = node.leaf.leaf
  }
  return { root, nodes, leaves, leafOf, pathOf: paths }
}

function compileExpression(
  expression: Expression,
  numbers: readonly Numbered[],
  leafOf: Int32Array
): CompiledPattern['test'] {
  switch (expression.kind) {
    case 'condition': {
      const { at } = numbers[expression.condition.index]!
      const leaf = leafOf[at]!
      if (leaf < 0) return (_, outside) => outside[at] === holds
      if (!expression.condition.takesAbsent) return ({ hits, generation }) => hits[at] === generation
      return ({ hits, seen, generation }) => hits[at] === generation || seen[leaf] !== generation
    }
    case 'all': {
      const parts = expression.parts.map(part => compileExpression(part, numbers, leafOf))
      return (marks, outside) => {
        for (const part of parts) if (!part(marks, outside)) return false
        return true
      }
    }
    case 'any': {
      const branches = expression.branches.map(branch => compileExpression(branch, numbers, leafOf))
      return (marks, outside) => {
        for (const branch of branches) if (branch(marks, outside)) return true
        return false
      }
    }
    default:
      throw new Error(`no such expression: ${expression satisfies never}`)
  }
}
