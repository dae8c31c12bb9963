import { MillraceError } from '../errors.ts'
import { readMembers } from './constraints.ts'
import { fieldNames, mappingFields } from './fields.ts'
import type { Field, FieldName, Members, SourceKind } from './fields.ts'
import { defaultBatchSize } from './mapping.ts'
import type { EventSource, MappingSpec, SourceAccess, StartingPosition } from './mapping.ts'
import { parseDestination } from '../destination/target.ts'
import { parseFilterCriteria } from '../filter/criteria.ts'
import { checkTags } from './tags.ts'

export interface ParseRules {
  /** Refuse what AWS refuses (`MILLRACE_STRICT_AWS`). */
  readonly strictAws: boolean
  /** Most filters of a mapping. AWS: 5, up to 10 on request. */
  readonly maxFilters: number
}

/** A Create request that passed every check that needs no look at the world; `FunctionName` is as it was written. */
export interface NewMapping extends Omit<
  MappingSpec,
  'functionArn' | 'functionName' | 'qualifier' | 'consumerGroupId'
> {
  readonly functionName: string
  readonly consumerGroupId?: string
}

/**
 * Reads the body of a Create in the order of reference 1.10: limits of the model, event source, batch size, window and
 * position, then what this version does not do. Throws MillraceError naming the member. `nowMs`: epoch.
 */
export function parseCreate(body: unknown, rules: ParseRules, nowMs: number): NewMapping {
  const members = readMembers('create', body)
  refuseOnSuccess(members)
  const source = readSource(members)
  refuseUnsupported(members, source, rules)
  if (isMissing('SourceAccessConfigurations', members, source, rules))
    throw new MillraceError('MILL_PARAMETER_MISSING', ['sourceAccessConfigurations'])
  const topic = readTopic(members)
  const startingPosition = readStartingPosition(members, source, rules, nowMs)
  checkAccess(members, source, rules)
  refuseNotBuilt(members)
  const tags = members.Tags ?? {}
  checkTags(tags)
  const config = kafkaConfig(source, members)
  return {
    functionName: members.FunctionName ?? '',
    source,
    topic,
    startingPosition,
    batchSize: members.BatchSize ?? defaultBatchSize,
    enabled: members.Enabled ?? true,
    tags,
    ...(config?.ConsumerGroupId === undefined ? {} : { consumerGroupId: config.ConsumerGroupId }),
    ...optionalParts(members),
    ...present('filters', readFilters(members, rules)),
    ...present('destination', readDestination(members, topic, rules))
  }
}

/** The members that stay absent until they are set: the same on Create and Update. */
export type OptionalParts = Pick<
  MappingSpec,
  | 'windowSeconds'
  | 'parallelizationFactor'
  | 'sourceAccess'
  | 'maximumRetryAttempts'
  | 'maximumRecordAgeSeconds'
  | 'bisectBatchOnFunctionError'
  | 'functionResponseTypes'
>

export function optionalParts(members: Members): OptionalParts {
  const ageSeconds = members.MaximumRecordAgeInSeconds
  if (ageSeconds !== undefined && ageSeconds !== -1 && ageSeconds < 60)
    throw invalid('MaximumRecordAgeInSeconds must be -1 or between 60 and 604800')
  return {
    ...present('windowSeconds', members.MaximumBatchingWindowInSeconds),
    ...present('parallelizationFactor', members.ParallelizationFactor),
    ...present('sourceAccess', readSourceAccess(members)),
    ...present('maximumRetryAttempts', members.MaximumRetryAttempts),
    ...present('maximumRecordAgeSeconds', ageSeconds),
    ...present('bisectBatchOnFunctionError', members.BisectBatchOnFunctionError),
    ...present('functionResponseTypes', members.FunctionResponseTypes)
  }
}

/** Checked, as they were written; undefined: none. */
export function readFilters(members: Members, rules: ParseRules): readonly string[] | undefined {
  const criteria = members.FilterCriteria ?? {}
  parseFilterCriteria(criteria, rules)
  const filters = criteria.Filters?.map(({ Pattern = '' }) => Pattern) ?? []
  return filters.length === 0 ? undefined : filters
}

/** Checked, as it was written; undefined: none. On-demand mappings are all there are so far. */
export function readDestination(members: Members, sourceTopic: string, { strictAws }: ParseRules): string | undefined {
  const text = members.DestinationConfig?.OnFailure?.Destination ?? ''
  if (text === '') return undefined
  parseDestination(text, { sourceTopic, strictAws, provisioned: false })
  return text
}

/** Kafka has no success destination; AWS says so before it looks anything up. */
export function refuseOnSuccess(members: Members): void {
  if (members.DestinationConfig?.OnSuccess !== undefined) throw new MillraceError('MILL_DESTINATION_UNSUPPORTED')
}

/** What belongs to another kind of event source, or is not there at AWS and so not in strict mode. */
export function refuseUnsupported(members: Members, source: EventSource, rules: ParseRules): void {
  for (const name of fieldNames) {
    if (members[name] === undefined) continue
    const { use, sources, strict }: Field = mappingFields[name]
    const isForeign = use === 'other-source' || sources?.includes(source.kind) === false
    const isBeyondAws = rules.strictAws && strict !== undefined && 'refused' in strict
    if (isForeign || isBeyondAws) throw unsupported(name)
  }
}

/** Absent although AWS wants it for this kind of source, and we are to do as AWS does. */
function isMissing(name: FieldName, members: Members, source: EventSource, rules: ParseRules): boolean {
  const { strict }: Field = mappingFields[name]
  const isRequired = strict !== undefined && 'requiredFor' in strict && strict.requiredFor === source.kind
  return rules.strictAws && isRequired && members[name] === undefined
}

export const unsupported = (name: string): MillraceError =>
  new MillraceError('MILL_PARAMETER_UNSUPPORTED', [name.charAt(0).toLowerCase() + name.slice(1)])

function readSource(members: Members): EventSource {
  const { EventSourceArn: arn, SelfManagedEventSource: selfManaged } = members
  if (arn !== undefined && selfManaged !== undefined)
    throw invalid('Give EventSourceArn or SelfManagedEventSource, not both.')
  if (selfManaged !== undefined) {
    const servers = selfManaged.Endpoints?.['KAFKA_BOOTSTRAP_SERVERS']
    if (servers === undefined) throw new MillraceError('MILL_EVENT_SOURCE_UNKNOWN')
    for (const server of servers) checkPort(server)
    return { kind: 'self-managed', bootstrapServers: servers }
  }
  if (arn === undefined || !/^arn:[^:]+:kafka:[^:]+:\d{12}:(cluster|vpc-connection)\/.+/.test(arn))
    throw new MillraceError('MILL_EVENT_SOURCE_UNKNOWN')
  return { kind: 'msk', arn }
}

function checkPort(server: string): void {
  const port = Number(server.slice(server.lastIndexOf(':') + 1))
  if (port < 1 || port > 65_535)
    throw invalid(`KAFKA_BOOTSTRAP_SERVERS must be host:port with a port of 1 to 65535, got ${server}.`)
}

/** The consumer group settings of this kind of source. */
export const kafkaConfig = (source: EventSource, members: Members): Members['AmazonManagedKafkaEventSourceConfig'] =>
  source.kind === 'msk' ? members.AmazonManagedKafkaEventSourceConfig : members.SelfManagedKafkaEventSourceConfig

function readTopic(members: Members): string {
  const topic = members.Topics?.[0]
  if (topic === undefined) throw new MillraceError('MILL_PARAMETER_MISSING', ['topics'])
  // AWS's pattern lets any first character through; Kafka's names do not.
  if (!/^[a-zA-Z0-9._-]+$/.test(topic))
    throw invalid(`Topics must hold a name of letters, digits, '.', '_' and '-', as Kafka wants it, got ${topic}.`)
  return topic
}

function readStartingPosition(
  members: Members,
  source: EventSource,
  rules: ParseRules,
  nowMs: number
): StartingPosition {
  const { StartingPosition: kind, StartingPositionTimestamp: timestampMs } = members
  if (isMissing('StartingPosition', members, source, rules))
    // Verbatim, with the final dot and this type (reference 1.9).
    throw invalid(
      "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null."
    )
  if (kind === 'AT_TIMESTAMP') {
    if (timestampMs === undefined) throw new MillraceError('MILL_PARAMETER_MISSING', ['startingPositionTimestamp'])
    if (timestampMs > nowMs) throw invalid('StartingPositionTimestamp cannot be in the future.')
    return { kind, timestampMs }
  }
  if (timestampMs !== undefined)
    throw invalid('StartingPositionTimestamp is only valid with the starting position AT_TIMESTAMP.')
  return { kind: kind === 'LATEST' ? 'LATEST' : 'TRIM_HORIZON' }
}

/** Whatever this version would accept and then not do is refused by name. */
export function refuseNotBuilt(members: Members): void {
  const { MinimumPollers: least = 1, MaximumPollers: most = Math.max(200, least) } =
    members.ProvisionedPollerConfig ?? {}
  if (most < least) throw invalid('MaximumPollers must be greater than or equal to MinimumPollers')
  const refused: readonly (readonly [what: string, given: boolean])[] = [
    ['KMSKeyArn', (members.KMSKeyArn ?? '') !== ''],
    ['ProvisionedPollerConfig', holdsSomething(members.ProvisionedPollerConfig)],
    ['MetricsConfig', (members.MetricsConfig?.Metrics?.length ?? 0) > 0],
    ['LoggingConfig', holdsSomething(members.LoggingConfig)],
    ['SchemaRegistryConfig', holdsSomething(members.AmazonManagedKafkaEventSourceConfig?.SchemaRegistryConfig)],
    ['SchemaRegistryConfig', holdsSomething(members.SelfManagedKafkaEventSourceConfig?.SchemaRegistryConfig)]
  ]
  for (const [what, given] of refused) if (given) throw new MillraceError('MILL_PARAMETER_NOT_BUILT', [what])
}

const holdsSomething = (structure: object | undefined): boolean =>
  structure !== undefined && Object.keys(structure).length > 0

/** Which authentication a kind of source has (reference 9.1). Network placement is neither: it means nothing outside AWS. */
const authentication: Readonly<Record<SourceKind, readonly string[]>> = {
  msk: ['SASL_SCRAM_512_AUTH', 'CLIENT_CERTIFICATE_TLS_AUTH'],
  'self-managed': ['SASL_SCRAM_512_AUTH', 'SASL_SCRAM_256_AUTH', 'BASIC_AUTH', 'CLIENT_CERTIFICATE_TLS_AUTH']
}
const placement = ['VPC_SUBNET', 'VPC_SECURITY_GROUP']
const secretArn = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+/

/** Refuses access configurations that this kind of source does not have, and those that do not go together. */
export function checkAccess(members: Members, { kind }: EventSource, rules: ParseRules): void {
  const types = (members.SourceAccessConfigurations ?? []).map(({ Type, URI }) => {
    if (Type === undefined || URI === undefined) throw invalid('SourceAccessConfigurations need a Type and a URI each.')
    return Type
  })
  for (const type of types) {
    const isPlacement = placement.includes(type) && (kind === 'self-managed' || !rules.strictAws)
    const isTrustAnchor = type === 'SERVER_ROOT_CA_CERTIFICATE' && kind === 'self-managed'
    if (!isPlacement && !isTrustAnchor && !authentication[kind].includes(type))
      throw unsupported(`SourceAccessConfigurations.${type}`)
  }
  const given = new Set(types.filter(type => authentication[kind].includes(type)))
  if (given.size > 1)
    throw invalid(`SourceAccessConfigurations may name one kind of authentication, got ${[...given].join(' and ')}.`)
  const placed = placement.filter(type => types.includes(type))
  if (rules.strictAws && placed.length === 1)
    throw invalid(
      `SourceAccessConfigurations need both VPC_SUBNET and VPC_SECURITY_GROUP or neither, got ${placed[0]}.`
    )
  for (const { Type: type = '', URI: uri = '' } of members.SourceAccessConfigurations ?? []) {
    if (placement.includes(type)) continue
    if (types.indexOf(type) !== types.lastIndexOf(type))
      throw invalid(`SourceAccessConfigurations may name ${type} once.`)
    if (!secretArn.test(uri))
      throw invalid(
        `SourceAccessConfigurations.${type} must name a secret by its ARN (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME), got ${uri}.`
      )
  }
}

function readSourceAccess(members: Members): readonly SourceAccess[] | undefined {
  return members.SourceAccessConfigurations?.map(({ Type = '', URI = '' }) => ({ Type, URI }))
}

/** Absent members stay absent. */
function present<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: V })
}

const invalid = (message: string): MillraceError => new MillraceError('MILL_PARAMETER_INVALID', [message])
