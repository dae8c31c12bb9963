import type { Json, Scalar } from './json.ts'

/** Which element of which array of the document a value lies in. */
export interface Membership {
  readonly array: number
  readonly element: number
  readonly outer: Membership | undefined
}

/** A value that is neither object nor array, by its path. Elements of an array have the path of the array. */
export interface FieldValue {
  readonly value: Scalar
  /** Arrays whose elements are objects or arrays; plain elements of an array lie side by side and count as in none. */
  readonly membership: Membership | undefined
}

interface Pending {
  readonly node: Json
  /** Undefined at the root. */
  readonly name: string | undefined
  readonly membership: Membership | undefined
}

/** All values of a document whose path (names joined by dots) is one of `names`. Depth costs memory but no stack. */
export function collectFields(document: Json, names: ReadonlySet<string>): Map<string, FieldValue[]> {
  const beginnings = new Set(
    [...names].flatMap(name => [...name.matchAll(/\.|$/g)].map(({ index }) => name.slice(0, index)))
  )
  const fields = new Map<string, FieldValue[]>()
  let arrays = 0
  const pending: Pending[] = [{ node: document, name: undefined, membership: undefined }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, name, membership } = next
    if (node.kind === 'object') {
      const prefix = name === undefined ? '' : `${name}.`
      for (const member of node.members.toReversed()) {
        const path = prefix + member.name
        if (beginnings.has(path)) pending.push({ node: member.value, name: path, membership })
      }
    } else if (node.kind === 'array') {
      const array = arrays++
      for (const [element, item] of [...node.items.entries()].toReversed()) {
        const isNested = item.kind === 'object' || item.kind === 'array'
        pending.push({ node: item, name, membership: isNested ? { array, element, outer: membership } : membership })
      }
    } else if (name !== undefined && names.has(name)) {
      const values = fields.get(name)
      if (values === undefined) fields.set(name, [{ value: node, membership }])
      else values.push({ value: node, membership })
    }
  }
  return fields
}
