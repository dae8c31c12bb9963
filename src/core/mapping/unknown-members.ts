import type { Operation } from './constraints.ts'
import { mappingFields } from './fields.ts'
import type { Field, Shape } from './fields.ts'

/** A member that has no effect, and why. */
export interface IgnoredMember {
  /** `SelfManagedEventSource.Endpoint`, cut to a length that a log can take. */
  readonly path: string
  /** `create-only`: Update does not take it. */
  readonly why: 'unknown' | 'create-only'
}

const most = 20
const longestPath = 100

/** The members of a body that `readMembers` ignores, as AWS does; at most 20 of them. */
export function ignoredMembers(operation: Operation, body: unknown): IgnoredMember[] {
  const found: IgnoredMember[] = []
  if (!isObject(body)) return found
  for (const [name, value] of Object.entries(body)) {
    const field: Field | undefined = Object.hasOwn(mappingFields, name)
      ? mappingFields[name as keyof typeof mappingFields]
      : undefined
    if (field === undefined) found.push({ path: cut(name), why: 'unknown' })
    else if (operation === 'update' && field.createOnly === true) found.push({ path: name, why: 'create-only' })
    else search(field.shape, value, name, found)
    if (found.length >= most) break
  }
  return found.slice(0, most)
}

/** Only as deep as the shape goes, whatever was sent. */
function search(shape: Shape, value: unknown, path: string, found: IgnoredMember[]): void {
  if (found.length >= most) return
  if (shape.type === 'list' && Array.isArray(value))
    for (const item of value.slice(0, most)) search(shape.element, item, path, found)
  if (shape.type !== 'structure' || !isObject(value)) return
  for (const [name, item] of Object.entries(value)) {
    const member = Object.hasOwn(shape.members, name) ? shape.members[name] : undefined
    if (member === undefined) found.push({ path: cut(`${path}.${name}`), why: 'unknown' })
    else search(member, item, `${path}.${name}`, found)
    if (found.length >= most) return
  }
}

const cut = (path: string): string => path.slice(0, longestPath)

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
