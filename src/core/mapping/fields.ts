import { defaultBatchSize, defaultParallelizationFactor } from './mapping.ts'
import type { EventSource } from './mapping.ts'

/** How one value of the API may look: AWS's types and limits. */
export type Shape =
  | {
      readonly type: 'string'
      readonly min?: number
      readonly max?: number
      /** A regular expression the whole text must match; shown in the error as it stands here. */
      readonly pattern?: string
      /** In the order in which AWS's error lists them. */
      readonly values?: readonly string[]
    }
  | { readonly type: 'integer'; readonly min: number; readonly max: number }
  | { readonly type: 'boolean' }
  /** On the wire epoch seconds or ISO 8601, here epoch milliseconds. */
  | { readonly type: 'timestamp' }
  | { readonly type: 'list'; readonly min?: number; readonly max?: number; readonly element: Shape }
  | {
      readonly type: 'map'
      readonly min?: number
      readonly max?: number
      readonly key: Shape & { readonly type: 'string' }
      readonly value: Shape
    }
  | { readonly type: 'structure'; readonly members: Readonly<Record<string, Shape>> }

/** The checked value of a shape. */
export type ValueOf<S> = S extends { readonly type: 'string' }
  ? string
  : S extends { readonly type: 'integer' | 'timestamp' }
    ? number
    : S extends { readonly type: 'boolean' }
      ? boolean
      : S extends { readonly type: 'list'; readonly element: infer E }
        ? readonly ValueOf<E>[]
        : S extends { readonly type: 'map'; readonly value: infer V }
          ? Readonly<Record<string, ValueOf<V>>>
          : S extends { readonly type: 'structure'; readonly members: infer M }
            ? { readonly [K in keyof M]?: ValueOf<M[K]> }
            : never

/**
 * What becomes of a member:
 * `works` as documented · `neutral` only the value that changes nothing is taken so far, others are refused by name ·
 * `other-source` belongs to another kind of event source: refused in AWS's words.
 */
export type FieldUse = 'works' | 'neutral' | 'other-source'

export type SourceKind = EventSource['kind']

export interface Field {
  readonly shape: Shape
  readonly use: FieldUse
  /** The kinds of event source it is for; absent: all. Others are refused in AWS's words. */
  readonly sources?: readonly SourceKind[]
  /** What holds when Create leaves it out, as the API writes it; absent: nothing of the kind. */
  readonly default?: string | number | boolean
  /** Said beside `default`, or where no single value says it. */
  readonly defaultDoc?: string
  /** Members Create alone takes; Update ignores them, as AWS ignores unknown members. */
  readonly createOnly?: boolean
  /** What Update sends to take it back to what holds without it; absent: there is no way back. */
  readonly clear?: Json
  readonly requiredOnCreate?: boolean
  /** What differs under `strictAws`: refused in AWS's words, or required of Create for these kinds of source. */
  readonly strict?: { readonly refused: true } | { readonly requiredFor: SourceKind }
  readonly doc: string
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

const endpointPattern =
  '^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\\-]*[a-zA-Z0-9])\\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9\\-]*[A-Za-z0-9]):[0-9]{1,5}'
const uriPattern = '[a-zA-Z0-9-\\/*:_+=.@-]*'
const destination = { type: 'structure', members: { Destination: { type: 'string', min: 0, max: 350 } } } as const

/** Wider than AWS's model in the region alone, as the live service is (reference 1.2). */
export const arnShape = {
  type: 'string',
  pattern: 'arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:((eusc-)?[a-z]{2}(-[a-z]+)+-\\d{1})?:(\\d{12})?:(.*)'
} as const satisfies Shape

export const functionNameShape = {
  type: 'string',
  min: 1,
  max: 256,
  pattern:
    '(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}(-[a-z]+)+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?'
} as const satisfies Shape

export const maxItemsShape = { type: 'integer', min: 1, max: 10_000 } as const satisfies Shape

export const tagsShape = {
  type: 'map',
  key: { type: 'string', min: 1, max: 128 },
  value: { type: 'string', min: 0, max: 256 }
} as const satisfies Shape

const kafkaConfigShape = {
  type: 'structure',
  members: {
    ConsumerGroupId: { type: 'string', min: 1, max: 200, pattern: uriPattern },
    SchemaRegistryConfig: {
      type: 'structure',
      members: {
        SchemaRegistryURI: { type: 'string', min: 1, max: 10_000 },
        EventRecordFormat: { type: 'string', values: ['JSON', 'SOURCE'] },
        AccessConfigs: {
          type: 'list',
          element: {
            type: 'structure',
            members: {
              Type: {
                type: 'string',
                values: ['BASIC_AUTH', 'CLIENT_CERTIFICATE_TLS_AUTH', 'SERVER_ROOT_CA_CERTIFICATE']
              },
              URI: arnShape
            }
          }
        },
        SchemaValidationConfigs: {
          type: 'list',
          element: { type: 'structure', members: { Attribute: { type: 'string', values: ['KEY', 'VALUE'] } } }
        }
      }
    }
  }
} as const satisfies Shape

/**
 * The members of Create and Update: parser, errors, reference page and console form read this table. Limits are those of
 * AWS's service model (reference 1.2).
 */
export const mappingFields = {
  FunctionName: {
    shape: functionNameShape,
    use: 'works',
    requiredOnCreate: true,
    doc: 'The function that takes the events: its name, name:qualifier, partial ARN or ARN.'
  },
  EventSourceArn: {
    shape: arnShape,
    use: 'works',
    sources: ['msk'],
    createOnly: true,
    doc: 'ARN of the MSK cluster (or its VPC connection) to read from.'
  },
  SelfManagedEventSource: {
    shape: {
      type: 'structure',
      members: {
        Endpoints: {
          type: 'map',
          min: 1,
          max: 2,
          key: { type: 'string', values: ['KAFKA_BOOTSTRAP_SERVERS'] },
          value: {
            type: 'list',
            min: 1,
            max: 10,
            element: { type: 'string', min: 1, max: 300, pattern: endpointPattern }
          }
        }
      }
    },
    use: 'works',
    sources: ['self-managed'],
    createOnly: true,
    doc: 'Bootstrap servers (host:port) of the Kafka cluster to read from.'
  },
  Topics: {
    shape: {
      type: 'list',
      min: 1,
      max: 1,
      element: { type: 'string', min: 1, max: 249, pattern: '[^.]([a-zA-Z0-9\\-_.]+)' }
    },
    use: 'works',
    createOnly: true,
    doc: 'The one topic to read.'
  },
  StartingPosition: {
    shape: { type: 'string', values: ['LATEST', 'AT_TIMESTAMP', 'TRIM_HORIZON'] },
    use: 'works',
    default: 'TRIM_HORIZON',
    strict: { requiredFor: 'msk' },
    createOnly: true,
    doc: 'Where reading begins in partitions for which the group has committed nothing.'
  },
  StartingPositionTimestamp: {
    shape: { type: 'timestamp' },
    use: 'works',
    createOnly: true,
    doc: 'With AT_TIMESTAMP, and only then: reading begins at the first record not older than this. Not in the future.'
  },
  BatchSize: {
    shape: { type: 'integer', min: 1, max: 10_000 },
    use: 'works',
    default: defaultBatchSize,
    clear: defaultBatchSize,
    doc: 'Most records handed to one invocation.'
  },
  MaximumBatchingWindowInSeconds: {
    shape: { type: 'integer', min: 0, max: 300 },
    use: 'works',
    defaultDoc: '500 ms, which cannot be set',
    doc: 'How long an open batch may wait for more records; 0: deliver at once.'
  },
  ParallelizationFactor: {
    shape: { type: 'integer', min: 1, max: 10 },
    use: 'works',
    default: defaultParallelizationFactor,
    clear: defaultParallelizationFactor,
    strict: { refused: true },
    doc: 'Batches in flight over different partitions of a poller. Not in AWS for Kafka.'
  },
  Enabled: {
    shape: { type: 'boolean' },
    use: 'works',
    default: true,
    clear: true,
    doc: 'False: keep the mapping and its offsets, read nothing.'
  },
  AmazonManagedKafkaEventSourceConfig: {
    shape: kafkaConfigShape,
    use: 'works',
    sources: ['msk'],
    defaultDoc: 'ConsumerGroupId: the UUID of the mapping',
    doc: 'ConsumerGroupId, which Create alone takes. SchemaRegistryConfig is not supported yet.'
  },
  SelfManagedKafkaEventSourceConfig: {
    shape: kafkaConfigShape,
    use: 'works',
    sources: ['self-managed'],
    defaultDoc: 'ConsumerGroupId: the UUID of the mapping',
    doc: 'ConsumerGroupId, which Create alone takes. SchemaRegistryConfig is not supported yet.'
  },
  SourceAccessConfigurations: {
    shape: {
      type: 'list',
      min: 0,
      max: 22,
      element: {
        type: 'structure',
        members: {
          Type: {
            type: 'string',
            values: [
              'BASIC_AUTH',
              'VPC_SUBNET',
              'VPC_SECURITY_GROUP',
              'SASL_SCRAM_512_AUTH',
              'SASL_SCRAM_256_AUTH',
              'VIRTUAL_HOST',
              'CLIENT_CERTIFICATE_TLS_AUTH',
              'SERVER_ROOT_CA_CERTIFICATE'
            ]
          },
          URI: { type: 'string', min: 1, max: 200, pattern: uriPattern }
        }
      }
    },
    use: 'works',
    defaultDoc: 'no authentication',
    clear: [],
    strict: { requiredFor: 'self-managed' },
    doc: 'VPC_SUBNET and VPC_SECURITY_GROUP are kept and returned, and mean nothing outside AWS. Authentication is not supported yet.'
  },
  Tags: {
    shape: tagsShape,
    use: 'works',
    defaultDoc: 'none',
    createOnly: true,
    doc: 'Tags of the mapping, shown by ListTags and changed by TagResource and UntagResource.'
  },
  MaximumRetryAttempts: {
    shape: { type: 'integer', min: -1, max: 10_000 },
    use: 'works',
    default: -1,
    clear: -1,
    doc: 'How often a failed batch is tried again; -1: for ever, or 10 times when there is an on-failure destination.'
  },
  MaximumRecordAgeInSeconds: {
    shape: { type: 'integer', min: -1, max: 604_800 },
    use: 'works',
    default: -1,
    clear: -1,
    doc: 'How old a record may get, by its timestamp, before it is given up; -1 (no limit) or 60 to 604800.'
  },
  BisectBatchOnFunctionError: {
    shape: { type: 'boolean' },
    use: 'works',
    default: false,
    clear: false,
    doc: 'Split a failed batch in two and try each half by itself. A split spends no try.'
  },
  FunctionResponseTypes: {
    shape: { type: 'list', min: 0, max: 1, element: { type: 'string', values: ['ReportBatchItemFailures'] } },
    use: 'works',
    defaultDoc: 'none',
    clear: [],
    doc: 'ReportBatchItemFailures: the function names the records that failed, and only those are tried again.'
  },
  FilterCriteria: {
    shape: {
      type: 'structure',
      members: {
        Filters: {
          type: 'list',
          element: { type: 'structure', members: { Pattern: { type: 'string', min: 0, max: 4096 } } }
        }
      }
    },
    use: 'works',
    defaultDoc: 'every record passes',
    clear: {},
    doc: 'Patterns of which a record must match one to reach the function. At most 5, or as many as maxFilters says.'
  },
  DestinationConfig: {
    shape: { type: 'structure', members: { OnSuccess: destination, OnFailure: destination } },
    use: 'works',
    defaultDoc: 'none',
    clear: { OnFailure: { Destination: '' } },
    doc: 'OnFailure: where given-up records are reported: the ARN of an SQS queue, an SNS topic or an S3 bucket, kafka://topic, or file:name. OnSuccess does not exist for Kafka.'
  },
  KMSKeyArn: {
    shape: { type: 'string', pattern: '(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()' },
    use: 'neutral',
    defaultDoc: 'none',
    clear: '',
    doc: 'The key that encrypts FilterCriteria. Only "" so far.'
  },
  ProvisionedPollerConfig: {
    shape: {
      type: 'structure',
      members: {
        MinimumPollers: { type: 'integer', min: 1, max: 200 },
        MaximumPollers: { type: 'integer', min: 1, max: 2000 },
        PollerGroupName: { type: 'string', min: 0, max: 128, pattern: '[a-zA-Z0-9-_]*' }
      }
    },
    use: 'neutral',
    defaultDoc: 'on demand',
    clear: {},
    doc: 'Fixed bounds for the number of pollers. Only {} so far.'
  },
  MetricsConfig: {
    shape: {
      type: 'structure',
      members: {
        Metrics: {
          type: 'list',
          min: 0,
          max: 3,
          element: { type: 'string', values: ['EventCount', 'ErrorCount', 'KafkaMetrics'] }
        }
      }
    },
    use: 'neutral',
    defaultDoc: 'none',
    clear: { Metrics: [] },
    doc: 'Metrics of the mapping. Only without metrics so far.'
  },
  LoggingConfig: {
    shape: { type: 'structure', members: { SystemLogLevel: { type: 'string', values: ['DEBUG', 'INFO', 'WARN'] } } },
    use: 'neutral',
    defaultDoc: 'none',
    clear: {},
    doc: "Level of the mapping's own log. Only {} so far."
  },
  TumblingWindowInSeconds: {
    shape: { type: 'integer', min: 0, max: 900 },
    use: 'other-source',
    doc: 'Not for Kafka.'
  },
  Queues: {
    shape: { type: 'list', min: 1, max: 1, element: { type: 'string', min: 1, max: 1000 } },
    use: 'other-source',
    createOnly: true,
    doc: 'Not for Kafka.'
  },
  ScalingConfig: {
    shape: { type: 'structure', members: { MaximumConcurrency: { type: 'integer', min: 2, max: 1000 } } },
    use: 'other-source',
    doc: 'Not for Kafka.'
  },
  DocumentDBEventSourceConfig: {
    shape: {
      type: 'structure',
      members: {
        DatabaseName: { type: 'string', min: 1, max: 63 },
        CollectionName: { type: 'string', min: 1, max: 57 },
        FullDocument: { type: 'string', values: ['UpdateLookup', 'Default'] }
      }
    },
    use: 'other-source',
    doc: 'Not for Kafka.'
  }
} as const satisfies Record<string, Field>

export type FieldName = keyof typeof mappingFields
export const fieldNames = Object.keys(mappingFields) as FieldName[]

/** Members of a request, each within the limits of the table; what was absent or null is absent. */
export type Members = { readonly [K in FieldName]?: ValueOf<(typeof mappingFields)[K]['shape']> }
