import type { Call, Meaning } from './call.ts'
import type { SimRecord } from './partition-log.ts'
import type { FailureRules } from './scene.ts'

/** Why records are given up, once that is decided, and the last call with them. */
export interface Verdict {
  readonly condition: 'retries' | 'size'
  readonly requestId: string
}

/** Records of one partition that are called together from now on, as the rules of retries have it. */
export interface Unit {
  /** Unfinished ones, in their order. */
  readonly records: readonly SimRecord[]
  /** Calls of them that ran and failed. */
  readonly failures: number
  /** They failed, or are part of what failed: the next owner of the partition has to call them together too. */
  readonly bound: boolean
  /** Nothing may be called any more. */
  readonly verdict?: Verdict
  /** The batch it was in. */
  readonly batch: object
  /** Its place among what its batch was split into: what comes before in the alphabet is to be finished first. */
  readonly path: string
}

/** What a partition owes beside its committed offset: who owns it next begins with that. */
export interface Debt {
  readonly units: readonly Unit[]
  /** Finished although the committed offset is below. */
  readonly done: ReadonlySet<SimRecord>
  /** Nobody outside can say what else it tells. */
  readonly isVague?: boolean
}

export const noDebt: Debt = { units: [], done: new Set() }

/** The unit with other records: as two units where `parts` are two. Parts without records are left out. */
export function divide(unit: Unit, parts: readonly (readonly SimRecord[])[]): Unit[] {
  return parts.flatMap((records, index) =>
    records.length === 0 ? [] : [{ ...unit, records, path: parts.length === 1 ? unit.path : `${unit.path}${index}` }]
  )
}

/** Whether `debt` tells the next owner of the unit; records that it names beyond are told of as done, or gone. */
export const tellsOf = ({ units }: Debt, { records, failures, verdict }: Unit): boolean =>
  units.some(
    told =>
      told.failures === failures &&
      told.verdict?.requestId === verdict?.requestId &&
      records.every(record => told.records.includes(record))
  )

/** What a unit becomes by a call: the rules of retries (reference 5.1, 6.3, 7.2). `unit` has what is left of it, `halves` the same in two. */
export function unitsAfter(
  { bisect, maxRetries }: FailureRules,
  unit: Unit,
  { records, requestId }: Pick<Call, 'records' | 'requestId'>,
  meaning: Meaning,
  halves: readonly [readonly SimRecord[], readonly SimRecord[]]
): Unit[] {
  if (unit.records.length === 0) return []
  switch (meaning.kind) {
    case 'done':
      return []
    case 'missed':
    case 'aborted':
      return [unit]
    case 'too-large':
      if (records === 1) return [{ ...unit, bound: true, verdict: { condition: 'size', requestId } }]
      // Nothing ran: what does not fit goes back to wait with others.
      return divide(unit, unit.bound ? halves : [halves[0]])
    case 'failed':
      if (bisect && records > 1) return divide({ ...unit, bound: true }, halves)
      return [tried(unit, maxRetries, requestId)]
    case 'part-failed':
      return [tried(unit, maxRetries, requestId)]
    default:
      throw new Error(`unknown meaning ${JSON.stringify(meaning satisfies never)}`)
  }
}

function tried(unit: Unit, maxRetries: number, requestId: string): Unit {
  const failures = unit.failures + 1
  const isExhausted = maxRetries >= 0 && failures > maxRetries
  return {
    ...unit,
    failures,
    bound: true,
    ...(isExhausted ? { verdict: { condition: 'retries', requestId } } : {})
  }
}
