import { partitionOf } from './function-name.ts'
import type { Home } from './function-name.ts'
import type { Mapping, MappingState, SourceAccess } from './mapping.ts'

/** AWS's EventSourceMappingConfiguration, as far as Kafka goes (reference 1.3). Times are epoch seconds. */
export interface EventSourceMappingConfiguration {
  readonly UUID: string
  readonly EventSourceMappingArn: string
  readonly FunctionArn: string
  readonly EventSourceArn?: string
  readonly SelfManagedEventSource?: { readonly Endpoints: { readonly KAFKA_BOOTSTRAP_SERVERS: readonly string[] } }
  readonly Topics: readonly string[]
  readonly StartingPosition: 'TRIM_HORIZON' | 'LATEST' | 'AT_TIMESTAMP'
  readonly StartingPositionTimestamp?: number
  readonly BatchSize: number
  readonly MaximumBatchingWindowInSeconds?: number
  readonly ParallelizationFactor?: number
  readonly State: MappingState
  readonly StateTransitionReason: string
  readonly LastModified: number
  readonly LastProcessingResult: string
  readonly AmazonManagedKafkaEventSourceConfig?: { readonly ConsumerGroupId: string }
  readonly SelfManagedKafkaEventSourceConfig?: { readonly ConsumerGroupId: string }
  readonly SourceAccessConfigurations?: readonly SourceAccess[]
  readonly MaximumRetryAttempts?: number
  readonly MaximumRecordAgeInSeconds?: number
  readonly BisectBatchOnFunctionError?: boolean
  readonly FunctionResponseTypes?: readonly string[]
  readonly FilterCriteria?: { readonly Filters: readonly { readonly Pattern: string }[] }
  readonly DestinationConfig?: { readonly OnFailure: { readonly Destination: string } }
}

/** A mapping as Create, Get, Update, Delete and List return it. */
export function renderMapping(mapping: Mapping, home: Home): EventSourceMappingConfiguration {
  const { uuid, spec } = mapping
  const { source, startingPosition: position } = spec
  const group = { ConsumerGroupId: spec.consumerGroupId }
  return {
    UUID: uuid,
    EventSourceMappingArn: mappingArn(uuid, home),
    FunctionArn: spec.functionArn,
    ...(source.kind === 'msk'
      ? { EventSourceArn: source.arn, AmazonManagedKafkaEventSourceConfig: group }
      : {
          SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: source.bootstrapServers } },
          SelfManagedKafkaEventSourceConfig: group
        }),
    Topics: [spec.topic],
    StartingPosition: position.kind,
    ...(position.kind === 'AT_TIMESTAMP' ? { StartingPositionTimestamp: position.timestampMs / 1000 } : {}),
    BatchSize: spec.batchSize,
    ...present('MaximumBatchingWindowInSeconds', spec.windowSeconds),
    ...present('ParallelizationFactor', spec.parallelizationFactor),
    ...present('SourceAccessConfigurations', spec.sourceAccess),
    ...present('MaximumRetryAttempts', spec.maximumRetryAttempts),
    ...present('MaximumRecordAgeInSeconds', spec.maximumRecordAgeSeconds),
    ...present('BisectBatchOnFunctionError', spec.bisectBatchOnFunctionError),
    ...present('FunctionResponseTypes', spec.functionResponseTypes),
    ...(spec.filters === undefined ? {} : { FilterCriteria: { Filters: spec.filters.map(Pattern => ({ Pattern })) } }),
    ...(spec.destination === undefined ? {} : { DestinationConfig: { OnFailure: { Destination: spec.destination } } }),
    State: mapping.state,
    StateTransitionReason: mapping.stateTransitionReason,
    LastModified: mapping.lastModifiedMs / 1000,
    LastProcessingResult: mapping.lastProcessingResult
  }
}

export const mappingArn = (uuid: string, home: Home): string =>
  `arn:${partitionOf(home.region)}:lambda:${home.region}:${home.accountId}:event-source-mapping:${uuid}`

/** The UUID in the ARN of one of our mappings; undefined for any other ARN. */
export function uuidOfArn(arn: string, home: Home): string | undefined {
  const uuid = arn.slice(arn.lastIndexOf(':') + 1)
  return arn === mappingArn(uuid, home) ? uuid : undefined
}

/** Absent means that the key is not in the JSON. */
function present<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: V })
}
