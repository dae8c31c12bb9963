import { attempt, defineApi } from '../api.ts'
import type { RequestContext } from '../api.ts'
import { nodeId } from '../broker-state.ts'
import { KafkaError } from '../error-codes.ts'
import { maxMetadataLength } from '../offset-store.ts'
import { configTypes, TopicConfig } from '../topic-config.ts'
import type { ShownConfig } from '../topic-config.ts'
import type { Topic } from '../topics.ts'
import * as s from '../wire-schema.ts'
import { maxFrameBytes } from '../frame-splitter.ts'

const resourceTypes = { topic: 2, broker: 4 } as const
const configSource = { topic: 1, staticBroker: 4, default: 5 } as const
const operations = { set: 0, delete: 1, append: 2, subtract: 3 } as const

const describedConfig = s.struct({
  name: s.string,
  value: s.nullableString,
  readOnly: s.bool,
  configSource: s.since(1, s.int8, -1),
  isDefault: s.until(0, s.bool),
  isSensitive: s.defaulting(s.bool, false),
  synonyms: s.since(1, s.array(s.struct({ name: s.string, value: s.nullableString, source: s.int8 }))),
  configType: s.since(3, s.int8),
  documentation: s.since(3, s.nullableString)
})

function findTopic(name: string, { broker }: RequestContext): Topic {
  const topic = broker.topics.get(name)
  if (topic === undefined) throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${name}`)
  return topic
}

function describeTopic({ name, value, own, configType }: ShownConfig): s.Writing<typeof describedConfig> {
  const source = own ? configSource.topic : configSource.default
  const synonyms = own ? [{ name, value, source }] : []
  return { name, value, readOnly: false, configSource: source, isDefault: !own, configType, synonyms }
}

function describeBroker({ broker }: RequestContext): s.Writing<typeof describedConfig>[] {
  const { autoCreateTopics, defaultPartitions, groups, maxBytes } = broker.options
  const settings: readonly (readonly [string, keyof typeof configTypes, string | number | boolean])[] = [
    ['auto.create.topics.enable', 'boolean', autoCreateTopics],
    ['broker.id', 'int', nodeId],
    ['default.replication.factor', 'int', 1],
    ['delete.topic.enable', 'boolean', true],
    ['group.consumer.heartbeat.interval.ms', 'int', groups.consumer.heartbeatIntervalMs],
    ['group.consumer.session.timeout.ms', 'int', groups.consumer.sessionTimeoutMs],
    ['group.initial.rebalance.delay.ms', 'int', groups.initialDelayMs],
    ['log.retention.bytes', 'long', maxBytes],
    ['num.partitions', 'int', defaultPartitions],
    ['offset.metadata.max.bytes', 'int', maxMetadataLength],
    ['socket.request.max.bytes', 'int', maxFrameBytes]
  ]
  return settings.map(([name, type, value]) => ({
    name,
    value: String(value),
    readOnly: true,
    configSource: configSource.staticBroker,
    configType: configTypes[type]
  }))
}

export const describeConfigs = defineApi({
  key: 32,
  name: 'DescribeConfigs',
  versions: [0, 4],
  flexibleFrom: 4,
  request: s.struct({
    resources: s.array(
      s.struct({ resourceType: s.int8, resourceName: s.string, configurationKeys: s.nullableArray(s.string) })
    ),
    includeSynonyms: s.since(1, s.bool),
    includeDocumentation: s.since(3, s.bool)
  }),
  response: s.struct({
    throttleTimeMs: s.defaulting(s.int32, 0),
    results: s.array(
      s.struct({
        errorCode: s.int16,
        errorMessage: s.nullableString,
        resourceType: s.int8,
        resourceName: s.string,
        configs: s.array(describedConfig)
      })
    )
  }),
  handle: ({ resources }, context) => ({
    results: resources.map(({ resourceType, resourceName, configurationKeys }) => {
      let configs: s.Writing<typeof describedConfig>[] = []
      const result = attempt(() => {
        if (resourceType === resourceTypes.topic) {
          configs = findTopic(resourceName, context).config.shown().map(describeTopic)
        } else if (resourceType === resourceTypes.broker && (resourceName === '' || resourceName === String(nodeId))) {
          configs = describeBroker(context)
        } else {
          throw new KafkaError(
            'INVALID_REQUEST',
            `resource type ${resourceType} named "${resourceName}" is not known here`
          )
        }
      })
      const isWanted = ({ name }: { name: string }) => configurationKeys === null || configurationKeys.includes(name)
      return { ...result, resourceType, resourceName, configs: configs.filter(isWanted) }
    })
  }),
  refuse: ({ resources }, errorCode) => ({
    results: resources.map(({ resourceType, resourceName }) => {
      return { errorCode, errorMessage: null, resourceType, resourceName, configs: [] }
    })
  })
})

const alterAnswer = s.struct({
  throttleTimeMs: s.defaulting(s.int32, 0),
  responses: s.array(
    s.struct({
      errorCode: s.int16,
      errorMessage: s.nullableString,
      resourceType: s.int8,
      resourceName: s.string
    })
  )
})

interface Resource {
  readonly resourceType: number
  readonly resourceName: string
}

function alterTopic(
  { resourceType, resourceName }: Resource,
  validateOnly: boolean,
  context: RequestContext,
  change: (topic: Topic) => Map<string, string>
): s.Writing<typeof alterAnswer>['responses'][number] {
  const result = attempt(() => {
    if (resourceType !== resourceTypes.topic) {
      throw new KafkaError('INVALID_REQUEST', 'only the settings of topics can be changed while this broker runs')
    }
    const topic = findTopic(resourceName, context)
    const config = new TopicConfig(change(topic))
    if (!validateOnly) topic.config = config
  })
  return { ...result, resourceType, resourceName }
}

function refuseAlter(resources: readonly Resource[], errorCode: number): s.Writing<typeof alterAnswer> {
  return {
    responses: resources.map(({ resourceType, resourceName }) => {
      return { errorCode, errorMessage: null, resourceType, resourceName }
    })
  }
}

/** Sets all of a topic's own settings at once: those that are not named go back to their defaults. */
export const alterConfigs = defineApi({
  key: 33,
  name: 'AlterConfigs',
  versions: [0, 2],
  flexibleFrom: 2,
  request: s.struct({
    resources: s.array(
      s.struct({
        resourceType: s.int8,
        resourceName: s.string,
        configs: s.array(s.struct({ name: s.string, value: s.nullableString }))
      })
    ),
    validateOnly: s.bool
  }),
  response: alterAnswer,
  handle: ({ resources, validateOnly }, context) => ({
    responses: resources.map(resource =>
      alterTopic(resource, validateOnly, context, () => {
        return new Map(resource.configs.flatMap(({ name, value }) => (value === null ? [] : [[name, value]])))
      })
    )
  }),
  refuse: ({ resources }, errorCode) => refuseAlter(resources, errorCode)
})

const change = s.struct({ name: s.string, configOperation: s.int8, value: s.nullableString })

function applyChange(
  topic: Topic,
  own: Map<string, string>,
  { name, configOperation, value }: s.Reading<typeof change>
) {
  const given = (value ?? '').split(',').filter(part => part !== '')
  const current = () => (own.get(name) ?? topic.config.get(name)).split(',').filter(part => part !== '')
  if (configOperation === operations.set && value !== null) own.set(name, value)
  else if (configOperation === operations.delete) own.delete(name)
  else if (configOperation === operations.append) own.set(name, [...new Set([...current(), ...given])].join(','))
  else if (configOperation === operations.subtract) {
    own.set(
      name,
      current()
        .filter(part => !given.includes(part))
        .join(',')
    )
  } else throw new KafkaError('INVALID_REQUEST', `operation ${configOperation} on ${name} needs a value or is unknown`)
}

export const incrementalAlterConfigs = defineApi({
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: [0, 1],
  flexibleFrom: 1,
  request: s.struct({
    resources: s.array(s.struct({ resourceType: s.int8, resourceName: s.string, configs: s.array(change) })),
    validateOnly: s.bool
  }),
  response: alterAnswer,
  handle: ({ resources, validateOnly }, context) => ({
    responses: resources.map(resource =>
      alterTopic(resource, validateOnly, context, topic => {
        const own = new Map(topic.config.own)
        for (const one of resource.configs) applyChange(topic, own, one)
        return own
      })
    )
  }),
  refuse: ({ resources }, errorCode) => refuseAlter(resources, errorCode)
})
