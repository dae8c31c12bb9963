import type { PathOf, Trie } from './compiler.ts'
import type { Condition, Pattern } from './language.ts'
import type { PathNode } from './path-node.ts'

/** No choice of elements satisfies the demand. */
export const infeasible = -1
/** Satisfied by missing fields alone. */
export const byAbsence = 0x7fffffff

/** What some branches of the `$or`s ask for at and below one node. */
export interface Demand {
  /** `order` is the rank of the name among all, `presence` a number for "there is a value here", -1 where nobody asks. */
  readonly conditions: readonly { readonly order: number; readonly presence: number }[]
  /** The condition at the node itself, by its place in the node's program; then there is none below. */
  readonly own: { readonly place: number; readonly order: number; readonly takesAbsent: boolean } | undefined
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
  /** As in its conditions. */
  readonly presence: number
}

/** One branch of a pattern. */
export interface PlannedBranch {
  /** A demand of the root, -1 when the whole branch looks outside of the document. */
  readonly demand: number
  /** Numbers of conditions that look outside. */
  readonly outside: readonly number[]
}

export interface ElementPlan {
  /** By id of a node; undefined where no pattern asks for anything. */
  readonly nodes: readonly (Plan | undefined)[]
  /**
   * By pattern. Undefined when no branch has two conditions that could meet in one element; 'irregular' when one branch asks
   * for a value on a path and for others below it (`a` and `a.b`): left to the plain matcher.
   */
  readonly patterns: readonly (readonly PlannedBranch[] | 'irregular' | undefined)[]
  /** How many numbers for "there is a value here". */
  readonly presences: number
}

interface Member {
  readonly at: number
  readonly place: number
  readonly order: number
  readonly presence: number
  readonly path: readonly PathNode[]
  readonly takesAbsent: boolean
}

/**
 * What has to hold within the same elements of arrays, for all patterns at once; undefined when that is nothing. Marks the
 * nodes where elements have to be told apart, and those whose values decide.
 */
export function planElements(
  patterns: readonly Pattern[],
  numberOf: (condition: Condition, pattern: number) => number,
  pathOf: PathOf,
  trie: Trie
): ElementPlan | undefined {
  const planner = new Planner(trie)
  const names = [...new Set(patterns.flatMap(({ conditions }) => conditions.map(({ name }) => name)))].toSorted()
  const ranks = new Map(names.map((name, rank) => [name, rank]))
  const isInside = (condition: Condition): boolean => pathOf(condition) !== undefined
  const planned = patterns.map((pattern, index) => {
    if (pattern.branches.every(branch => branch.filter(isInside).length < 2)) return undefined
    const takesAbsent = pattern.conditions.some(condition => condition.takesAbsent)
    const branches = pattern.branches.map((branch): PlannedBranch => {
      const members = branch.filter(isInside).map((condition): Member => {
        const { path, place } = trie.conditions[numberOf(condition, index)]!
        const presence = takesAbsent ? planner.presenceOf(path.at(-1)!) : -1
        const order = ranks.get(condition.name)!
        return { at: numberOf(condition, index), place, order, presence, path, takesAbsent: condition.takesAbsent }
      })
      const outside = branch.filter(condition => !isInside(condition)).map(condition => numberOf(condition, index))
      return { demand: members.length === 0 ? -1 : planner.visit(trie.root, 0, members), outside }
    })
    const isIrregular = pattern.branches.some(branch => hasOneWithinAnother(branch.filter(isInside)))
    return isIrregular ? 'irregular' : branches
  })
  if (planned.every(each => each === undefined)) return undefined
  return { nodes: planner.plans(), patterns: planned, presences: planner.presences }
}

const hasOneWithinAnother = (branch: readonly Condition[]): boolean => {
  const names = new Set(branch.map(({ name }) => name))
  return branch.some(({ path }) => path.some((_, depth) => depth > 0 && names.has(path.slice(0, depth).join('.'))))
}

interface Planned {
  readonly index: number
  readonly demand: Demand
}

class Planner {
  readonly #trie: Trie
  /** By node and the conditions of the demand. */
  readonly #demands: Map<string, Planned>[]
  /** By node, child and demand of the child: the demands it is part of. */
  readonly #parts: Map<number, Set<number>>[][]
  readonly #presences = new Map<PathNode, number>()

  constructor(trie: Trie) {
    this.#trie = trie
    this.#demands = trie.nodes.map(() => new Map<string, Planned>())
    this.#parts = trie.nodes.map(node => node.children.map(() => new Map<number, Set<number>>()))
  }

  get presences(): number {
    return this.#presences.size
  }

  presenceOf(node: PathNode): number {
    const presence = this.#presences.get(node) ?? this.#presences.size
    this.#presences.set(node, presence)
    return presence
  }

  /** The demand at `node`, `depth` steps from the root, for conditions at and below it. */
  visit(node: PathNode, depth: number, members: readonly Member[]): number {
    const demands = this.#demands[node.id]!
    const key = members.map(({ at }) => at).join()
    const known = demands.get(key)
    if (known !== undefined) return known.index
    node.isTracked = true
    if (members.length > 1) node.sensitive = true
    const index = demands.size
    const own = members.find(({ path }) => path.length === depth + 1)
    const takesAbsence = members.every(({ takesAbsent }) => takesAbsent)
    demands.set(key, { index, demand: { conditions: members, own, takesAbsence } })
    for (const [child, below] of Map.groupBy(members, ({ path }) => path[depth + 1])) {
      if (child === undefined) continue
      const part = this.visit(child, depth + 1, below)
      const wholes = this.#parts[node.id]![child.place]!
      wholes.set(part, (wholes.get(part) ?? new Set<number>()).add(index))
    }
    return index
  }

  plans(): (Plan | undefined)[] {
    return this.#trie.nodes.map((node, id) => {
      const demands = [...this.#demands[id]!.values()].map(({ demand }) => demand)
      if (demands.length === 0) return undefined
      const parts = this.#parts[id]!.map(partsOf)
      return { demands, parts, presence: this.#presences.get(node) ?? -1 }
    })
  }
}

const partsOf = (wholes: ReadonlyMap<number, ReadonlySet<number>>): Part[] =>
  [...wholes].map(([demand, above]) => ({ demand, wholes: [...above] }))
