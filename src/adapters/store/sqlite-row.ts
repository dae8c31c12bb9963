import { hash } from 'node:crypto'
import type { Mapping, MappingSpec, MappingState } from '../../core/mapping/mapping.ts'

/** A mapping in the table, without the columns that only SQL looks at. */
export interface Row {
  readonly seq: number
  readonly uuid: string
  readonly version: number
  readonly spec_version: number
  readonly spec: string
  readonly state: string
  readonly state_transition_reason: string
  readonly last_processing_result: string
  readonly last_modified_ms: number
  /** Of all above but the first; null: written before there were digests. */
  readonly digest: string | null
}

export const columns =
  'seq, uuid, version, spec_version, spec, state, state_transition_reason, last_processing_result, last_modified_ms, digest'

/** A mapping that is not what was written. */
export class DamagedRow extends Error {}

/** What is wrong with a row; undefined: nothing. SQLite checks how its file hangs together, not what lies in it. */
export function damageOf(row: Row): string | undefined {
  const { seq, digest, ...rest } = row
  if (digest === null || digest === digestOf(Object.values(rest))) return undefined
  return `mapping ${seq} is not what was written`
}

/** Throws `DamagedRow`. */
export function mappingOf(row: Row): Mapping {
  const damage = damageOf(row)
  if (damage !== undefined) throw new DamagedRow(damage)
  return {
    uuid: row.uuid,
    version: row.version,
    specVersion: row.spec_version,
    // Written by `rowOf` only; older forms are brought up to date by the migrations.
    spec: JSON.parse(row.spec) as MappingSpec,
    state: row.state as MappingState,
    stateTransitionReason: row.state_transition_reason,
    lastProcessingResult: row.last_processing_result,
    lastModifiedMs: row.last_modified_ms
  }
}

/** Parameters of the statements that write a mapping. */
export function rowOf(mapping: Mapping): Record<string, string | number | null> {
  const { spec } = mapping
  // In the order of `Row`.
  const values = {
    uuid: mapping.uuid,
    version: mapping.version,
    specVersion: mapping.specVersion,
    spec: JSON.stringify(spec),
    state: mapping.state,
    reason: mapping.stateTransitionReason,
    result: mapping.lastProcessingResult,
    modified: mapping.lastModifiedMs
  }
  return {
    ...values,
    digest: digestOf(Object.values(values)),
    functionArn: spec.functionArn,
    topic: spec.topic,
    group: spec.consumerGroupId,
    eventSourceArn: spec.source.kind === 'msk' ? spec.source.arn : null
  }
}

/** Against accidents, not against people. */
const digestOf = (values: readonly (string | number)[]): string =>
  hash('sha256', JSON.stringify(values), 'base64url').slice(0, 22)
