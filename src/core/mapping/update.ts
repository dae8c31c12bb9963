import { readMembers } from './constraints.ts'
import type { Members } from './fields.ts'
import type { MappingSpec } from './mapping.ts'
import {
  checkAccess,
  kafkaConfig,
  optionalParts,
  readDestination,
  readFilters,
  refuseNotBuilt,
  refuseOnSuccess,
  refuseUnsupported,
  unsupported
} from './parse.ts'
import type { OptionalParts, ParseRules } from './parse.ts'

/** What an Update asks for; what it leaves out stays. */
export interface MappingUpdate {
  /** As it was written. */
  readonly functionName?: string
  readonly changes: Changes
}

/** An empty destination, or an empty list of filters, takes the present one away. */
export type Changes = OptionalParts & Partial<Pick<MappingSpec, 'batchSize' | 'enabled' | 'destination' | 'filters'>>

/** The first half, which needs no mapping: the limits of the model. */
export const readUpdate = (body: unknown): Members => readMembers('update', body)

/** The second half: what this mapping's source and this version allow. Throws MillraceError naming the member. */
export function parseUpdate(members: Members, before: MappingSpec, rules: ParseRules): MappingUpdate {
  refuseOnSuccess(members)
  refuseUnsupported(members, before.source, rules)
  refuseGroupId(members, before)
  checkAccess(members, before.source, rules)
  refuseNotBuilt(members)
  const changes: Changes = {
    ...(members.BatchSize === undefined ? {} : { batchSize: members.BatchSize }),
    ...(members.Enabled === undefined ? {} : { enabled: members.Enabled }),
    ...optionalParts(members),
    ...(members.FilterCriteria === undefined ? {} : { filters: readFilters(members, rules) ?? [] }),
    ...(members.DestinationConfig === undefined
      ? {}
      : { destination: readDestination(members, before.topic, rules) ?? '' })
  }
  return members.FunctionName === undefined ? { changes } : { functionName: members.FunctionName, changes }
}

/** AWS refuses it whenever it is sent, even with the present value (reference 1.2). */
function refuseGroupId(members: Members, before: MappingSpec): void {
  if (kafkaConfig(before.source, members)?.ConsumerGroupId === undefined) return
  throw unsupported(
    before.source.kind === 'msk'
      ? 'amazonManagedKafkaEventSourceConfig.consumerGroupId'
      : 'selfManagedKafkaEventSourceConfig.consumerGroupId'
  )
}

/** The function a mapping calls, once it has been found. */
export type FunctionIdentity = Pick<MappingSpec, 'functionArn' | 'functionName' | 'qualifier'>

/** The spec after an update. `identity` is given when the update names a function. */
export function applyUpdate(
  before: MappingSpec,
  changes: Changes,
  identity: FunctionIdentity | undefined
): MappingSpec {
  const after: { -readonly [K in keyof MappingSpec]: MappingSpec[K] } = { ...before, ...changes, ...identity }
  if (identity !== undefined && identity.qualifier === undefined) delete after.qualifier
  if (after.destination === '') delete after.destination
  if (after.filters?.length === 0) delete after.filters
  return after
}
