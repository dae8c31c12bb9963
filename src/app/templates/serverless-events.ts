import { nearest } from '../config/nearest.ts'
import { unresolved } from './resolver.ts'
import type { ServerlessVariables } from './serverless-variables.ts'
import type { TemplateSource } from './source.ts'
import { at, below, isTree, kindOf, own, put, scalarText } from './tree.ts'
import type { Tree } from './tree.ts'

/** What the parts of a serverless.yml are read with. */
export interface Service {
  readonly source: TemplateSource
  readonly variables: ServerlessVariables
  readonly root: Tree
  readonly name: string
  readonly refuse: (path: string, message: string) => void
  readonly note: (text: string) => void
}

export type Resources = Record<string, Tree>

const accessTypes: Readonly<Record<string, readonly [type: string, prefix: string]>> = {
  vpcSubnet: ['VPC_SUBNET', 'subnet:'],
  vpcSecurityGroup: ['VPC_SECURITY_GROUP', 'security_group:'],
  saslPlainAuth: ['BASIC_AUTH', ''],
  saslScram256Auth: ['SASL_SCRAM_256_AUTH', ''],
  saslScram512Auth: ['SASL_SCRAM_512_AUTH', ''],
  clientCertificateTlsAuth: ['CLIENT_CERTIFICATE_TLS_AUTH', ''],
  serverRootCaCertificate: ['SERVER_ROOT_CA_CERTIFICATE', '']
}

/** Properties of both events that go over under another name. */
const eventNames: Readonly<Record<string, readonly string[]>> = {
  batchSize: ['BatchSize'],
  maximumBatchingWindow: ['MaximumBatchingWindowInSeconds'],
  enabled: ['Enabled'],
  startingPosition: ['StartingPosition'],
  startingPositionTimestamp: ['StartingPositionTimestamp']
}
const kinds = {
  msk: {
    names: { arn: ['EventSourceArn'], consumerGroupId: ['AmazonManagedKafkaEventSourceConfig', 'ConsumerGroupId'] },
    others: ['topic', 'filterPatterns', 'saslScram512']
  },
  kafka: {
    names: {
      bootstrapServers: ['SelfManagedEventSource', 'Endpoints', 'KafkaBootstrapServers'],
      consumerGroupId: ['SelfManagedKafkaEventSourceConfig', 'ConsumerGroupId']
    },
    others: ['topic', 'filterPatterns', 'accessConfigurations']
  }
} as const
type EventKind = keyof typeof kinds
export const serverlessEventKinds = Object.keys(kinds) as EventKind[]
/** The properties of an event that are taken. */
export const serverlessEventProperties = (kind: EventKind): string[] => [
  ...Object.keys(eventNames),
  ...Object.keys(kinds[kind].names),
  ...kinds[kind].others
]

/** The Kafka events of a function as resources of CloudFormation. `target`: what they call. */
export function compileEvents(service: Service, key: string, fn: Tree, origin: string, target: Tree): Resources {
  const { variables, refuse } = service
  const events = variables.value(fn['events'], at(origin, 'events'))
  const made: Resources = {}
  for (const [i, written] of (Array.isArray(events) ? (events as unknown[]) : []).entries()) {
    const path = below(origin, 'events', i)
    const event = variables.value(written, path)
    for (const kind of serverlessEventKinds) {
      const where = at(path, kind)
      const given = variables.value(own(event, kind), where)
      if (given === undefined || given === unresolved) continue
      if (isTree(given)) compileEvent(service, key, kind, given, where, target, made)
      else refuse(where, `must be a map, got ${kindOf(given)}`)
    }
  }
  return made
}

function compileEvent(
  service: Service,
  key: string,
  kind: EventKind,
  given: Tree,
  origin: string,
  target: Tree,
  made: Resources
): void {
  const { variables, source, refuse } = service
  const topic = variables.value(given['topic'], at(origin, 'topic'))
  const base = `${idOf(key)}EventSourceMapping${kind === 'msk' ? 'MSK' : 'Kafka'}${letters(scalarText(topic) ?? '')}`
  let id = base
  for (let n = 2; made[id] !== undefined; n++) id = `${base}${n}`
  const path = below('Resources', id, 'Properties')
  source.moved(path, origin)
  const names: Readonly<Record<string, readonly string[]>> = { ...eventNames, ...kinds[kind].names }
  let properties: Tree = { FunctionName: target, StartingPosition: 'TRIM_HORIZON' }
  const set = (steps: readonly string[], value: unknown, from: string) => {
    source.moved(below(path, ...steps), at(origin, from))
    properties = put(properties, steps, value)
  }
  for (const needed of ['topic', kind === 'msk' ? 'arn' : 'bootstrapServers']) {
    if (given[needed] === undefined) refuse(at(origin, needed), 'is missing')
  }
  for (const [name, value] of Object.entries(given)) {
    const steps = Object.hasOwn(names, name) ? names[name] : undefined
    if (value === null) continue
    if (steps !== undefined) set(steps, value, name)
    else if (name === 'topic') {
      source.moved(below(path, 'Topics', 0), at(origin, name))
      set(['Topics'], [value], name)
    } else if (name === 'filterPatterns') {
      source.moved(below(path, 'FilterCriteria', 'Filters'), at(origin, name))
      set(['FilterCriteria'], filters(variables.value(value, at(origin, name))), name)
    } else if (name === 'saslScram512' && kind === 'msk')
      set(['SourceAccessConfigurations'], [{ Type: 'SASL_SCRAM_512_AUTH', URI: value }], name)
    else if (name === 'accessConfigurations' && kind === 'kafka')
      set(['SourceAccessConfigurations'], access(service, value, at(origin, name)), name)
    else {
      const meant = nearest(name, serverlessEventProperties(kind))
      refuse(at(origin, name), `is no property of an event ${kind}${meant === undefined ? '' : `: ${meant} is one`}`)
    }
  }
  made[id] = { Type: 'AWS::Lambda::EventSourceMapping', Properties: properties }
}

const filters = (patterns: unknown): unknown =>
  Array.isArray(patterns)
    ? { Filters: patterns.map((pattern: unknown) => ({ Pattern: { 'Fn::ToJsonString': pattern } })) }
    : { Filters: patterns }

function access({ variables, refuse }: Service, written: unknown, path: string): unknown {
  const given = variables.value(written, path)
  if (!isTree(given)) return given
  return Object.entries(given).flatMap(([name, value]) => {
    const [type, prefix] = Object.hasOwn(accessTypes, name) ? (accessTypes[name] ?? []) : []
    if (type === undefined || prefix === undefined) {
      refuse(at(path, name), `is no access configuration: ${Object.keys(accessTypes).join(', ')} are`)
      return []
    }
    const uris = variables.value(value, at(path, name))
    const list: unknown[] = Array.isArray(uris) ? uris : [uris]
    return list.map(uri => ({ Type: type, URI: prefix === '' ? uri : { 'Fn::Join': ['', [prefix, uri]] } }))
  })
}

/** The framework's ids: `process-orders` → `ProcessDashorders`. */
export const idOf = (key: string): string =>
  (key.charAt(0).toUpperCase() + key.slice(1)).replaceAll('-', 'Dash').replaceAll('_', 'Underscore')

function letters(text: string): string {
  const rest = text.replace(/[^0-9A-Za-z]/g, '')
  return rest.charAt(0).toUpperCase() + rest.slice(1)
}
