import type { Mapping } from './mapping.ts'
import { renderMapping } from './render.ts'

/** What the API's callers do, as CloudTrail names it. */
export const callerOperations = [
  'CreateEventSourceMapping20150331',
  'UpdateEventSourceMapping20150331',
  'DeleteEventSourceMapping20150331',
  'TagResource20170331v2',
  'UntagResource20170331v2'
] as const

/** What the fleet does by itself: end a transition, write down how processing goes, take a deleted mapping away. */
export const fleetOperations = ['StateTransition', 'ProcessingResult', 'Removal'] as const

export type AuditedOperation = (typeof callerOperations)[number] | (typeof fleetOperations)[number]

/** Who changes a mapping, when and by what. */
export interface Author {
  /** The access key's id, or `fleet`. */
  readonly who: string
  readonly operation: AuditedOperation
  /** Epoch milliseconds. */
  readonly atMs: number
}

/** A member by its name in the API. Absent `from`: it was not there before; absent `to`: it is no longer there. */
export interface FieldChange {
  readonly field: string
  readonly from?: unknown
  readonly to?: unknown
}

/** One change of one mapping. */
export interface HistoryEntry extends Author {
  readonly changes: readonly FieldChange[]
}

export const isFleetOperation = (operation: AuditedOperation): boolean =>
  (fleetOperations as readonly string[]).includes(operation)

/**
 * How much is kept of a mapping: callers and the fleet have half each, so that a result that comes and goes cannot push out
 * who changed what.
 */
export const keptEntries = { callers: 500, fleet: 500, ms: 90 * 86_400_000 } as const

/** What differs between two states of a mapping, by the API's names. `undefined`: it is not there (yet, or any more). */
export function changesBetween(before: Mapping | undefined, after: Mapping | undefined): FieldChange[] {
  const [from, to] = [membersOf(before), membersOf(after)]
  return [...new Set([...from.keys(), ...to.keys()])].flatMap(field => {
    const [was, is] = [from.get(field), to.get(field)]
    if (JSON.stringify(was) === JSON.stringify(is)) return []
    return [{ field, ...(was === undefined ? {} : { from: was }), ...(is === undefined ? {} : { to: is }) }]
  })
}

/** These name the mapping, or change with every write. */
const untold = new Set(['UUID', 'EventSourceMappingArn', 'LastModified'])
/** Its ARN is not told, so where it would live does not matter. */
const nowhere = { region: '', accountId: '' }

function membersOf(mapping: Mapping | undefined): ReadonlyMap<string, unknown> {
  if (mapping === undefined) return new Map()
  const { enabled, tags } = mapping.spec
  const all = { ...renderMapping(mapping, nowhere), Enabled: enabled, Tags: sorted(tags) }
  return new Map(Object.entries(all).filter(([name]) => !untold.has(name)))
}

/** Tags are equal in whatever order they were set. */
const sorted = (tags: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(tags).toSorted(([a], [b]) => (a < b ? -1 : 1)))
