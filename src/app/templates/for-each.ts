import { at, isTree, kindOf, scalarText } from './tree.ts'
import type { Tree } from './tree.ts'

/** More copies than a template may have resources. */
const mostCopies = 5_000

export interface LoopWorld {
  /** A function of CloudFormation in the collection, resolved. */
  resolve(node: unknown, path: string): unknown
  refuse(path: string, message: string): void
  /** What stands at `path` was written at `origin`. */
  moved(path: string, origin: string): void
}

export const isLoop = (key: string): boolean => key.startsWith('Fn::ForEach::')

/** The members of a map with each `Fn::ForEach` in it written out, those inside of others too. */
export function writeOutLoops(tree: Tree, path: string, world: LoopWorld): Tree {
  if (!Object.keys(tree).some(isLoop)) return tree
  const copies = { left: mostCopies }
  return Object.fromEntries(membersOf(tree, path, path, world, copies))
}

function membersOf(
  tree: Tree,
  path: string,
  target: string,
  world: LoopWorld,
  copies: { left: number }
): [string, unknown][] {
  return Object.entries(tree).flatMap(([key, value]): [string, unknown][] => {
    if (isLoop(key)) return loop(value, at(path, key), target, world, copies)
    world.moved(at(target, key), at(path, key))
    return [[key, value]]
  })
}

function loop(
  value: unknown,
  path: string,
  target: string,
  world: LoopWorld,
  copies: { left: number }
): [string, unknown][] {
  const [variable, collection, body, ...rest]: unknown[] = Array.isArray(value) ? value : []
  if (typeof variable !== 'string' || !isTree(body) || rest.length > 0) {
    world.refuse(path, `must be a list of a name, a collection and a map, got ${kindOf(value)}`)
    return []
  }
  const values: unknown = world.resolve(collection, at(path, 1))
  if (!Array.isArray(values)) {
    if (typeof values !== 'symbol') world.refuse(at(path, 1), `must be a list, got ${kindOf(values)}`)
    return []
  }
  return values.flatMap((element: unknown, index) => {
    const text = scalarText(element)
    if (text === undefined || --copies.left < 0) {
      if (typeof element !== 'symbol')
        world.refuse(
          at(at(path, 1), index),
          text === undefined ? `must be a text, got ${kindOf(element)}` : 'is too much'
        )
      return []
    }
    const written = Object.entries(body).map(([key, part]): [string, unknown, string] => [
      substituteText(key, variable, text),
      substitute(part, variable, text),
      at(at(path, 2), key)
    ])
    return written.flatMap(([key, part, origin]): [string, unknown][] => {
      if (isLoop(key)) return loop(part, origin, target, world, copies)
      world.moved(at(target, key), origin)
      return [[key, part]]
    })
  })
}

/** `${Name}`, `&{Name}` (the letters and digits of the value only) and `{ Ref: Name }` become the value. */
function substitute(node: unknown, variable: string, value: string): unknown {
  if (typeof node === 'string') return substituteText(node, variable, value)
  if (Array.isArray(node)) return node.map(element => substitute(element, variable, value))
  if (!isTree(node)) return node
  const entries = Object.entries(node)
  if (entries.length === 1 && entries[0]?.[0] === 'Ref' && entries[0][1] === variable) return value
  return Object.fromEntries(
    entries.map(([key, part]) => [substituteText(key, variable, value), substitute(part, variable, value)])
  )
}

const substituteText = (text: string, variable: string, value: string): string =>
  text.replaceAll(`\${${variable}}`, () => value).replaceAll(`&{${variable}}`, () => value.replace(/[^A-Za-z0-9]/g, ''))
