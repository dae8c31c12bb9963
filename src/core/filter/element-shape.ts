import { byAbsence, type ElementPlan } from './element-plan.ts'
import type { PathNode } from './path-node.ts'

/** What a node's plan comes to. */
export interface Shape {
  /** Where its results lie among those of its parent's children. */
  readonly place: number
  /** Each demand has one condition. */
  readonly isSimple: boolean
  /** By place of a condition in the node's program: what a value that passes satisfies. */
  readonly ownDemands: ReadonlyMap<number, readonly { readonly demand: number; readonly order: number }[]>
  /** What a value that is neither object nor array satisfies by having nothing below. */
  readonly withoutOwn: readonly { readonly demand: number; readonly order: number }[]
  /** Demands all of which may be missing. */
  readonly absentDemands: readonly number[]
  /** The same, of conditions at the node itself: an object has no value. */
  readonly absentOwn: readonly number[]
  /** By demand: how many children it asks. */
  readonly needed: readonly number[]
  /** By result of the children: the demands it is part of. */
  readonly wholesOf: readonly (readonly number[])[]
  /** By place of a child and result: the demands that a missing child satisfies in part. */
  readonly absentParts: readonly (readonly [number, readonly number[]])[]
}

/** By id of a node. */
export function shapesOf(plan: ElementPlan, nodes: readonly PathNode[]): (Shape | undefined)[] {
  const places = new Map<number, number>()
  return nodes.map(node => {
    const own = plan.nodes[node.id]
    if (own === undefined) return undefined
    const { demands, parts } = own
    const wholesOf: (readonly number[])[] = []
    const absentParts: [number, readonly number[]][] = []
    const needed = demands.map(() => 0)
    for (const { id, place } of node.children) {
      places.set(id, wholesOf.length)
      const child = plan.nodes[id]
      if (child === undefined) continue
      const wholes = child.demands.map((): readonly number[] => [])
      for (const part of parts[place]!) wholes[part.demand] = part.wholes
      for (const [demand, { takesAbsence }] of child.demands.entries()) {
        for (const whole of wholes[demand]!) needed[whole]!++
        if (takesAbsence) absentParts.push([place, wholes[demand]!])
      }
      wholesOf.push(...wholes)
    }
    const numbered = [...demands.entries()]
    const withOwn = numbered.flatMap(([demand, { own }]) => (own === undefined ? [] : [{ demand, ...own }]))
    const absent = numbered.filter(([, { takesAbsence }]) => takesAbsence)
    return {
      place: places.get(node.id) ?? 0,
      isSimple: demands.every(({ conditions }) => conditions.length === 1),
      ownDemands: Map.groupBy(withOwn, ({ place }) => place),
      withoutOwn: absent.filter(([, { own }]) => own === undefined).map(([demand]) => ({ demand, order: byAbsence })),
      absentDemands: absent.map(([demand]) => demand),
      absentOwn: withOwn.filter(({ takesAbsent }) => takesAbsent).map(({ demand }) => demand),
      needed,
      wholesOf,
      absentParts
    }
  })
}
