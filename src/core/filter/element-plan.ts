import type { PathOf, Trie } from './compiler.ts'
import type { Pattern } from './language.ts'
import type { Numbered } from './leaf-program.ts'
import type { PathNode } from './path-node.ts'

/** No choice of elements satisfies the demand. */
export const infeasible = -1
/** Satisfied by missing fields alone. */
export const byAbsence = 0x7fffffff

/** What some branches of the `$or`s ask for at and below one node. */
export interface Demand {
  /** `order` is the rank of the name among all of the pattern. */
  readonly conditions: readonly { readonly at: number; readonly order: number; readonly leaf: number }[]
  /** The condition at the node itself; then there is none below. */
  readonly own: { readonly at: number; readonly order: number; readonly takesAbsent: boolean } | undefined
  /** All may be missing. */
  readonly takesAbsence: boolean
}

/** A demand of a child, and the demands of its parent that it is part of. */
export interface Part {
  readonly demand: number
  readonly wholes: readonly number[]
}

export interface Plan {
  readonly demands: readonly Demand[]
  /** By child of the node, as in `PathNode.children`. */
  readonly parts: readonly (readonly Part[])[]
}

export interface ElementPlan {
  /** By id of a node; undefined where the pattern asks for nothing. */
  readonly nodes: readonly (Plan | undefined)[]
  /** `demand` is at the root, -1 when the whole branch looks outside of the document. */
  readonly branches: readonly { readonly demand: number; readonly outside: readonly number[] }[]
  readonly takesAbsent: boolean
  /** One branch asks for a value on a path and for others below it (`a` and `a.b`): left to the plain matcher. */
  readonly isIrregular: boolean
}

interface Member {
  readonly at: number
  readonly order: number
  readonly leaf: number
  readonly path: readonly PathNode[]
  readonly takesAbsent: boolean
}

/**
 * What has to hold within the same elements of arrays; undefined when no branch has two conditions that could meet in one.
 * Marks the nodes where they could.
 */
export function planElements(
  pattern: Pattern,
  numbers: readonly Numbered[],
  pathOf: PathOf,
  trie: Trie
): ElementPlan | undefined {
  const demands = trie.nodes.map(() => new Map<string, { readonly index: number; readonly demand: Demand }>())
  const parts = trie.nodes.map(node => node.children.map(() => new Map<number, Set<number>>()))
  const names = [...new Set(pattern.conditions.map(({ name }) => name))].toSorted()
  const ranks = new Map(names.map((name, rank) => [name, rank]))
  let isNeeded = false
  let isIrregular = false

  const visit = (node: PathNode, depth: number, members: readonly Member[]): number => {
    const key = members.map(({ at }) => at).join()
    const known = demands[node.id]!.get(key)
    if (known !== undefined) return known.index
    const own = members.find(({ path }) => path.length === depth + 1)
    if (members.length > 1) {
      node.sensitive = true
      isNeeded = true
      isIrregular ||= own !== undefined
    }
    const index = demands[node.id]!.size
    const takesAbsence = members.every(({ takesAbsent }) => takesAbsent)
    demands[node.id]!.set(key, { index, demand: { conditions: members, own, takesAbsence } })
    for (const [at, child] of node.children.entries()) {
      const below = members.filter(({ path }) => path[depth + 1] === child)
      if (below.length === 0) continue
      const part = visit(child, depth + 1, below)
      const wholes = parts[node.id]![at]!
      wholes.set(part, (wholes.get(part) ?? new Set<number>()).add(index))
    }
    return index
  }

  const branches = pattern.branches.map(branch => {
    const inside = branch.filter(condition => pathOf(condition) !== undefined)
    const members = inside.map((condition): Member => {
      const { at } = numbers[condition.index]!
      const path = trie.pathOf[at]!
      return { at, order: ranks.get(condition.name)!, leaf: trie.leafOf[at]!, path, takesAbsent: condition.takesAbsent }
    })
    const outside = branch.filter(condition => pathOf(condition) === undefined)
    return {
      demand: members.length === 0 ? -1 : visit(trie.root, 0, members),
      outside: outside.map(({ index }) => numbers[index]!.at)
    }
  })
  if (!isNeeded) return undefined
  const nodes = trie.nodes.map((_, id): Plan | undefined => {
    const all = [...demands[id]!.values()].map(({ demand }) => demand)
    if (all.length === 0) return undefined
    return { demands: all, parts: parts[id]!.map(partsOf) }
  })
  return { nodes, branches, takesAbsent: pattern.conditions.some(({ takesAbsent }) => takesAbsent), isIrregular }
}

const partsOf = (wholes: ReadonlyMap<number, ReadonlySet<number>>): Part[] =>
  [...wholes].map(([demand, above]) => ({ demand, wholes: [...above] }))
