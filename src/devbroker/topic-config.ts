import { KafkaError } from './error-codes.ts'
import type { LogLimits } from './partition-log.ts'

/** Types as DescribeConfigs numbers them. */
export const configTypes = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 } as const

interface ConfigEntry {
  readonly type: keyof typeof configTypes
  readonly default: string
  /** The only values there are, where they are few. */
  readonly values?: readonly string[]
}

/**
 * Topic settings this broker knows. It acts on max.message.bytes, message.timestamp.type, retention.bytes and
 * retention.ms; the others are kept and shown, so that tools which set them work. Nothing is compacted, and unlike
 * Kafka's seven days nothing grows too old unless retention.ms says so.
 */
const topicConfigs: Readonly<Record<string, ConfigEntry>> = {
  'cleanup.policy': {
    type: 'list',
    default: 'delete',
    values: ['delete', 'compact', 'compact,delete', 'delete,compact']
  },
  'compression.type': { type: 'string', default: 'producer', values: ['producer'] },
  'delete.retention.ms': { type: 'long', default: '86400000' },
  'file.delete.delay.ms': { type: 'long', default: '60000' },
  'flush.messages': { type: 'long', default: '9223372036854775807' },
  'flush.ms': { type: 'long', default: '9223372036854775807' },
  'index.interval.bytes': { type: 'int', default: '4096' },
  'max.compaction.lag.ms': { type: 'long', default: '9223372036854775807' },
  'max.message.bytes': { type: 'int', default: '1048588' },
  'message.timestamp.after.max.ms': { type: 'long', default: '9223372036854775807' },
  'message.timestamp.before.max.ms': { type: 'long', default: '9223372036854775807' },
  'message.timestamp.type': { type: 'string', default: 'CreateTime', values: ['CreateTime', 'LogAppendTime'] },
  'min.cleanable.dirty.ratio': { type: 'double', default: '0.5' },
  'min.compaction.lag.ms': { type: 'long', default: '0' },
  'min.insync.replicas': { type: 'int', default: '1' },
  preallocate: { type: 'boolean', default: 'false', values: ['true', 'false'] },
  'retention.bytes': { type: 'long', default: '-1' },
  'retention.ms': { type: 'long', default: '-1' },
  'segment.bytes': { type: 'int', default: '1073741824' },
  'segment.index.bytes': { type: 'int', default: '10485760' },
  'segment.jitter.ms': { type: 'long', default: '0' },
  'segment.ms': { type: 'long', default: '604800000' },
  'unclean.leader.election.enable': { type: 'boolean', default: 'false', values: ['true', 'false'] }
}

export interface ShownConfig {
  readonly name: string
  readonly value: string
  /** Set for this topic, not a default. */
  readonly own: boolean
  readonly configType: number
}

function check(name: string, value: string): void {
  const known = topicConfigs[name]
  if (known === undefined) {
    throw new KafkaError(
      'INVALID_CONFIG',
      `unknown topic setting ${name}; known: ${Object.keys(topicConfigs).join(', ')}`
    )
  }
  if (known.values !== undefined && !known.values.includes(value)) {
    throw new KafkaError('INVALID_CONFIG', `${name} must be one of ${known.values.join(', ')}; got ${value}`)
  }
  const isNumber = known.type === 'int' || known.type === 'long' || known.type === 'double'
  if (isNumber && (value.trim() === '' || !Number.isFinite(Number(value)))) {
    throw new KafkaError('INVALID_CONFIG', `${name} must be a number; got ${JSON.stringify(value)}`)
  }
}

/** The settings of one topic. Values that were checked; what is not set has its default. */
export class TopicConfig {
  readonly #own: Map<string, string>
  /** Read on every produce, so worked out once. */
  readonly limits: LogLimits

  /** Throws INVALID_CONFIG naming the setting, its value and what would do. */
  constructor(own: ReadonlyMap<string, string>) {
    for (const [name, value] of own) check(name, value)
    this.#own = new Map(own)
    this.limits = {
      maxMessageBytes: Number(this.get('max.message.bytes')),
      retentionBytes: Number(this.get('retention.bytes')),
      retentionMs: Number(this.get('retention.ms')),
      logAppendTime: this.get('message.timestamp.type') === 'LogAppendTime'
    }
  }

  get(name: string): string {
    return this.#own.get(name) ?? topicConfigs[name]?.default ?? ''
  }

  get own(): ReadonlyMap<string, string> {
    return this.#own
  }

  shown(): ShownConfig[] {
    return Object.entries(topicConfigs).map(([name, { type }]) => {
      return { name, value: this.get(name), own: this.#own.has(name), configType: configTypes[type] }
    })
  }
}
