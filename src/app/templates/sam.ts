import { nearest } from '../config/nearest.ts'
import { functionOf } from './resolver.ts'
import { at, below, isTree, kindOf, own, put } from './tree.ts'
import type { Tree } from './tree.ts'

interface Writer {
  refuse(path: string, message: string): void
  note(text: string): void
  /** What stands at `path` was written at `origin`. */
  moved(path: string, origin: string): void
}

/** An event of a SAM function as the event source mapping that SAM makes of it. */
export interface SamMapping {
  readonly logicalId: string
  /** Of an AWS::Lambda::EventSourceMapping, without FunctionName. */
  readonly properties: Tree
  readonly path: string
}

/**
 * Properties of a function with those of `Globals.Function`: maps are merged, lists put together (the global one first), of
 * everything else, functions of CloudFormation too, the function's own wins.
 */
export function withGlobals(globals: unknown, local: Tree, path: string, writer: Writer): Tree {
  return isTree(globals) ? merge(globals, local, 'Globals.Function', path, writer) : local
}

function merge(globals: Tree, local: Tree, globalPath: string, path: string, writer: Writer): Tree {
  const entries = Object.entries(globals).map(([key, value]): [string, unknown] => {
    const own = Object.hasOwn(local, key) ? local[key] : undefined
    if (own === undefined) {
      writer.moved(at(path, key), at(globalPath, key))
      return [key, value]
    }
    if (isPlain(value) && isPlain(own)) return [key, merge(value, own, at(globalPath, key), at(path, key), writer)]
    if (Array.isArray(value) && Array.isArray(own)) return [key, [...(value as unknown[]), ...(own as unknown[])]]
    return [key, own]
  })
  return { ...local, ...Object.fromEntries(entries) }
}

const isPlain = (value: unknown): value is Tree => isTree(value) && functionOf(value) === undefined

/** The same name there and here (reference 14.2). */
const sameNames = [
  'BatchSize',
  'Enabled',
  'StartingPosition',
  'StartingPositionTimestamp',
  'MaximumBatchingWindowInSeconds',
  'FilterCriteria',
  'KmsKeyArn',
  'SourceAccessConfigurations',
  'DestinationConfig',
  'Topics',
  'ProvisionedPollerConfig',
  'MetricsConfig',
  'LoggingConfig',
  'BisectBatchOnFunctionError',
  'MaximumRetryAttempts',
  'MaximumRecordAgeInSeconds',
  'FunctionResponseTypes',
  'ParallelizationFactor'
]

/** Where SAM's other properties go; an empty path: nowhere, they make policies. */
const otherNames: Readonly<Record<SamEventType, Readonly<Record<string, readonly string[]>>>> = {
  MSK: {
    Stream: ['EventSourceArn'],
    ConsumerGroupId: ['AmazonManagedKafkaEventSourceConfig', 'ConsumerGroupId'],
    SchemaRegistryConfig: ['AmazonManagedKafkaEventSourceConfig', 'SchemaRegistryConfig']
  },
  SelfManagedKafka: {
    KafkaBootstrapServers: ['SelfManagedEventSource', 'Endpoints', 'KafkaBootstrapServers'],
    ConsumerGroupId: ['SelfManagedKafkaEventSourceConfig', 'ConsumerGroupId'],
    SchemaRegistryConfig: ['SelfManagedKafkaEventSourceConfig', 'SchemaRegistryConfig'],
    SecretsManagerKmsKeyId: []
  }
}
const required: Readonly<Record<SamEventType, readonly string[]>> = {
  MSK: ['Stream', 'StartingPosition'],
  SelfManagedKafka: ['KafkaBootstrapServers', 'Topics']
}

type SamEventType = 'MSK' | 'SelfManagedKafka'
export const samEventTypes: readonly SamEventType[] = ['MSK', 'SelfManagedKafka']
/** The properties of an event that are taken. */
export const samEventProperties = (type: SamEventType): string[] => [...sameNames, ...Object.keys(otherNames[type])]

/** The Kafka events of a SAM function. */
export function samMappings(functionId: string, properties: Tree, path: string, writer: Writer): SamMapping[] {
  const events = own(properties, 'Events')
  if (!isTree(events)) return []
  return Object.entries(events).flatMap(([name, event]): SamMapping[] => {
    const type = samEventTypes.find(type => type === own(event, 'Type'))
    if (type === undefined) return []
    const where = below(path, 'Events', name, 'Properties')
    const given = own(event, 'Properties')
    if (!isTree(given)) {
      writer.refuse(where, `must be a map, got ${kindOf(given)}`)
      return []
    }
    return [eventMapping(type, functionId + name, given, where, writer)]
  })
}

function eventMapping(type: SamEventType, logicalId: string, given: Tree, origin: string, writer: Writer): SamMapping {
  const path = below('Resources', logicalId, 'Properties')
  writer.moved(path, origin)
  for (const name of required[type]) {
    if (given[name] === undefined) writer.refuse(at(origin, name), `is missing: an event of the type ${type} needs it`)
  }
  // SAM refuses it. A cluster without authentication is the usual one on a laptop, and the API takes it.
  if (type === 'SelfManagedKafka' && given['SourceAccessConfigurations'] === undefined)
    writer.note(`${origin} has no SourceAccessConfigurations: it runs here, but SAM refuses to deploy it.`)
  let properties: Tree = {}
  for (const [name, value] of Object.entries(given)) {
    const target = sameNames.includes(name) ? [name] : own(otherNames[type], name)
    if (!Array.isArray(target)) {
      const meant = nearest(name, samEventProperties(type))
      const hint = meant === undefined ? '' : `: ${meant} is one`
      writer.refuse(at(origin, name), `is no property of an event of the type ${type}${hint}`)
      continue
    }
    const steps = target as string[]
    if (steps.length === 0) continue
    writer.moved(below(path, ...steps), at(origin, name))
    properties = put(properties, steps, name === 'DestinationConfig' ? withoutType(value) : value)
  }
  return { logicalId, properties, path }
}

/** `OnFailure.Type` says which policy SAM makes; the mapping has none of it. */
function withoutType(destination: unknown): unknown {
  const onFailure = own(destination, 'OnFailure')
  if (!isTree(destination) || !isTree(onFailure)) return destination
  const { Type: _type, ...rest } = onFailure
  return { ...destination, OnFailure: rest }
}
