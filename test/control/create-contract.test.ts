import { functionArn, mskArn } from './control-world.ts'
import {
  servers,
  msk,
  invalid,
  unsupported,
  notBuilt,
  broken,
  atMost,
  atLeast,
  longest,
  shortest,
  oneOf,
  creates
} from './contract-rows.ts'
import type { Members } from './contract-rows.ts'

// Every member of Create, with what it takes and what it refuses: section numbers are those of the reference.

const long = (n: number): string => 'x'.repeat(n)
const functionPattern =
  '(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}(-[a-z]+)+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?'
const arnPattern = 'arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:((eusc-)?[a-z]{2}(-[a-z]+)+-\\d{1})?:(\\d{12})?:(.*)'
const topicLimits =
  'satisfy constraint: [Member must have length less than or equal to 249, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [^.]([a-zA-Z0-9\\-_.]+)]'
const serverLimits =
  'satisfy constraint: [Member must have length less than or equal to 300, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\\-]*[a-zA-Z0-9])\\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9\\-]*[A-Za-z0-9]):[0-9]{1,5}]'
const endpoints = 'selfManagedEventSource.endpoints'
const brokers = `${endpoints}.kAFKA_BOOTSTRAP_SERVERS`
const positions = oneOf('LATEST', 'AT_TIMESTAMP', 'TRIM_HORIZON')

creates('1.2 and 1.4 function', [
  { sent: { FunctionName: 'f' }, answered: { FunctionArn: functionArn('f'), FunctionName: undefined } },
  { sent: { FunctionName: 'f:$LATEST' }, answered: { FunctionArn: `${functionArn('f')}:$LATEST` } },
  { sent: { FunctionName: 'f:live' }, answered: { FunctionArn: `${functionArn('f')}:live` } },
  { sent: { FunctionName: 'function:f:7' }, answered: { FunctionArn: `${functionArn('f')}:7` } },
  { sent: { FunctionName: '000000000000:function:f' }, answered: { FunctionArn: functionArn('f') } },
  { sent: { FunctionName: functionArn('f') }, answered: { FunctionArn: functionArn('f') } },
  { sent: { FunctionName: `${functionArn('f')}:1` }, answered: { FunctionArn: `${functionArn('f')}:1` } },
  {
    sent: { FunctionName: undefined },
    refused: {
      type: 'ValidationException',
      status: 400,
      message:
        "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null"
    }
  },
  { sent: { FunctionName: 'nobody' }, refused: invalid('Function does not exist') },
  { sent: { FunctionName: '111111111111:function:f' }, refused: invalid('Function does not exist') },
  { sent: { FunctionName: long(65) }, refused: broken(long(65), 'functionName', longest(64)) },
  { sent: { FunctionName: long(257) }, refused: broken(long(257), 'functionName', longest(256)) },
  {
    sent: { FunctionName: 'a b' },
    refused: broken('a b', 'functionName', `satisfy regular expression pattern: ${functionPattern}`)
  }
])

creates('1.2 event source', [
  { of: msk, sent: {}, answered: { EventSourceArn: mskArn, SelfManagedEventSource: undefined } },
  { sent: { SelfManagedEventSource: servers('a:1', 'b.c:65535') } },
  { sent: { SelfManagedEventSource: undefined }, refused: invalid('Unrecognized event source.') },
  { sent: { SelfManagedEventSource: {} }, refused: invalid('Unrecognized event source.') },
  {
    of: msk,
    sent: { EventSourceArn: 'arn:aws:kinesis:us-east-1:000000000000:stream/s' },
    refused: invalid('Unrecognized event source.')
  },
  {
    of: msk,
    sent: { EventSourceArn: 'kafka' },
    refused: broken('kafka', 'eventSourceArn', `satisfy regular expression pattern: ${arnPattern}`)
  },
  { sent: { EventSourceArn: mskArn }, refused: invalid('Give EventSourceArn or SelfManagedEventSource, not both.') },
  { sent: { SelfManagedEventSource: { Endpoints: {} } }, refused: broken('[]', endpoints, shortest(1)) },
  {
    sent: { SelfManagedEventSource: { Endpoints: { SERVERS: ['a:1'] } } },
    refused: {
      ...broken('[SERVERS]', endpoints, ''),
      message: `1 validation error detected: Value '[SERVERS]' at '${endpoints}' failed to satisfy constraint: Map keys must satisfy constraint: [Member must ${oneOf('KAFKA_BOOTSTRAP_SERVERS')}]`
    }
  },
  { sent: { SelfManagedEventSource: servers() }, refused: broken('[]', brokers, shortest(1)) },
  {
    sent: { SelfManagedEventSource: servers(...Array.from({ length: 11 }, () => 'a:1')) },
    refused: broken(`[${Array.from({ length: 11 }, () => 'a:1').join(', ')}]`, brokers, longest(10))
  },
  { sent: { SelfManagedEventSource: servers('kafka') }, refused: broken('[kafka]', brokers, serverLimits) },
  { sent: { SelfManagedEventSource: servers('') }, refused: broken('[]', brokers, serverLimits) },
  {
    sent: { SelfManagedEventSource: servers(`${long(299)}:1`) },
    refused: broken(`[${long(299)}:1]`, brokers, serverLimits)
  },
  {
    sent: { SelfManagedEventSource: servers('a:65536') },
    refused: invalid('KAFKA_BOOTSTRAP_SERVERS must be host:port with a port of 1 to 65535, got a:65536.')
  }
])

creates('1.2 topics', [
  { sent: { Topics: ['a.b-c_D1'] } },
  { sent: { Topics: [long(249)] } },
  { sent: { Topics: undefined }, refused: invalid("Required 'topics' parameter is missing.") },
  { of: msk, sent: { Topics: undefined }, refused: invalid("Required 'topics' parameter is missing.") },
  { sent: { Topics: [] }, refused: broken('[]', 'topics', shortest(1)) },
  { sent: { Topics: ['ab', 'cd'] }, refused: broken('[ab, cd]', 'topics', longest(1)) },
  { sent: { Topics: ['x'] }, refused: broken('[x]', 'topics', topicLimits) },
  { sent: { Topics: ['.x'] }, refused: broken('[.x]', 'topics', topicLimits) },
  { sent: { Topics: ['a b'] }, refused: broken('[a b]', 'topics', topicLimits) },
  { sent: { Topics: [long(250)] }, refused: broken(`[${long(250)}]`, 'topics', topicLimits) }
])

creates('1.2 position, size and window', [
  { of: msk, sent: {}, answered: { StartingPosition: 'TRIM_HORIZON', StartingPositionTimestamp: undefined } },
  { sent: { StartingPosition: 'LATEST' } },
  {
    of: msk,
    strict: true,
    sent: {},
    refused: invalid(
      "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null."
    )
  },
  { of: msk, strict: true, sent: { StartingPosition: 'TRIM_HORIZON' } },
  { sent: { StartingPosition: 'invalid' }, refused: broken('invalid', 'startingPosition', positions) },
  {
    sent: { StartingPosition: 'AT_TIMESTAMP' },
    refused: invalid("Required 'startingPositionTimestamp' parameter is missing.")
  },
  { sent: {}, answered: { BatchSize: 100, MaximumBatchingWindowInSeconds: undefined } },
  { sent: { BatchSize: 1, MaximumBatchingWindowInSeconds: 0 } },
  { sent: { BatchSize: 10_000, MaximumBatchingWindowInSeconds: 300 } },
  { sent: { BatchSize: 0 }, refused: broken('0', 'batchSize', atLeast(1)) },
  { sent: { BatchSize: 10_001 }, refused: broken('10001', 'batchSize', atMost(10_000)) },
  {
    sent: { MaximumBatchingWindowInSeconds: -1 },
    refused: broken('-1', 'maximumBatchingWindowInSeconds', atLeast(0))
  },
  {
    sent: { MaximumBatchingWindowInSeconds: 301 },
    refused: broken('301', 'maximumBatchingWindowInSeconds', atMost(300))
  },
  { sent: { Enabled: false }, answered: { State: 'Creating', Enabled: undefined } },
  { sent: { ParallelizationFactor: 1 } },
  { of: msk, sent: { ParallelizationFactor: 10 } },
  { sent: {}, answered: { ParallelizationFactor: undefined } },
  { sent: { ParallelizationFactor: 0 }, refused: broken('0', 'parallelizationFactor', atLeast(1)) },
  { sent: { ParallelizationFactor: 11 }, refused: broken('11', 'parallelizationFactor', atMost(10)) },
  {
    of: { ...msk, StartingPosition: 'LATEST' },
    strict: true,
    sent: { ParallelizationFactor: 2 },
    refused: unsupported('parallelizationFactor')
  }
])

const arn = (service: string): string => `arn:aws:${service}:us-east-1:000000000000:x`
const badFilter = invalid('Invalid filter pattern definition.')
creates('1.2 failures and filters', [
  { sent: { FilterCriteria: { Filters: [] } }, answered: { FilterCriteria: undefined } },
  { sent: { FilterCriteria: {} }, answered: { FilterCriteria: undefined } },
  { sent: { FilterCriteria: { Filters: [{ Pattern: '{"value":{"a":[1]}}' }] } } },
  { sent: { FilterCriteria: { Filters: [{ Pattern: '{"topic":["orders"]}' }] } } },
  {
    sent: { FilterCriteria: { Filters: [{ Pattern: '{"topic":["orders"]}' }] }, SourceAccessConfigurations: [] },
    strict: true,
    refused: badFilter
  },
  ...['{}', 'null', 'text', '{', '{"value":1}', '{"value":[]}', '{"value":[{"like":"x"}]}', '{"price":[1]}'].map(
    Pattern => ({ sent: { FilterCriteria: { Filters: [{ Pattern }] } }, refused: badFilter })
  ),
  {
    sent: { FilterCriteria: { Filters: Array.from({ length: 6 }, () => ({ Pattern: '{"value":["x"]}' })) } },
    refused: invalid('FilterCriteria may hold at most 5 Filters, got 6.')
  },
  {
    sent: { FilterCriteria: { Filters: [{ Pattern: long(4_097) }] } },
    refused: broken(`${long(1_000)}…`, 'filterCriteria.filters.1.member.pattern', longest(4_096))
  },
  { sent: { KMSKeyArn: '' }, answered: { KMSKeyArn: undefined } },
  { sent: { KMSKeyArn: arn('kms') }, refused: notBuilt('KMSKeyArn') },
  {
    sent: { KMSKeyArn: 'x' },
    refused: broken('x', 'kMSKeyArn', 'satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()')
  },
  { sent: { DestinationConfig: {} }, answered: { DestinationConfig: undefined } },
  { sent: { DestinationConfig: { OnFailure: {} } }, answered: { DestinationConfig: undefined } },
  { sent: { DestinationConfig: { OnFailure: { Destination: '' } } }, answered: { DestinationConfig: undefined } },
  ...[arn('sqs'), arn('sns'), 'arn:aws:s3:::failures', 'kafka://orders-failed'].map(Destination => ({
    sent: { DestinationConfig: { OnFailure: { Destination } } }
  })),
  {
    sent: { DestinationConfig: { OnFailure: { Destination: 'kafka://topic' } } },
    refused: invalid('The Kafka on-failure destination topic must differ from the source topic.')
  },
  {
    sent: { DestinationConfig: { OnFailure: { Destination: long(351) } } },
    refused: broken(long(351), 'destinationConfig.onFailure.destination', longest(350))
  },
  {
    sent: { DestinationConfig: { OnSuccess: { Destination: arn('sqs') } }, FunctionName: 'nobody' },
    refused: invalid('Unsupported DestinationConfig parameter for given event source mapping type.')
  },
  { sent: { MaximumRetryAttempts: -1 } },
  { sent: {}, answered: { MaximumRetryAttempts: undefined, MaximumRecordAgeInSeconds: undefined } },
  { sent: { MaximumRetryAttempts: 0 } },
  { sent: { MaximumRetryAttempts: 10_000 } },
  { sent: { MaximumRetryAttempts: -2 }, refused: broken('-2', 'maximumRetryAttempts', atLeast(-1)) },
  { sent: { MaximumRetryAttempts: 10_001 }, refused: broken('10001', 'maximumRetryAttempts', atMost(10_000)) },
  { sent: { MaximumRecordAgeInSeconds: -1 } },
  ...[0, 59].map(age => ({
    sent: { MaximumRecordAgeInSeconds: age },
    refused: invalid('MaximumRecordAgeInSeconds must be -1 or between 60 and 604800')
  })),
  { sent: { MaximumRecordAgeInSeconds: 60 } },
  { sent: { MaximumRecordAgeInSeconds: 604_800 } },
  {
    sent: { MaximumRecordAgeInSeconds: 604_801 },
    refused: broken('604801', 'maximumRecordAgeInSeconds', atMost(604_800))
  },
  { sent: { BisectBatchOnFunctionError: false } },
  { sent: { BisectBatchOnFunctionError: true } },
  { sent: { FunctionResponseTypes: [] } },
  { sent: { FunctionResponseTypes: ['ReportBatchItemFailures'] } },
  {
    sent: { FunctionResponseTypes: ['x'] },
    refused: broken(
      '[x]',
      'functionResponseTypes',
      `satisfy constraint: [Member must ${oneOf('ReportBatchItemFailures')}]`
    )
  }
])

const secret = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:x'
const access = (...types: string[]): Members => ({
  SourceAccessConfigurations: types.map(Type => ({ Type, URI: secret }))
})
const authentication = [
  'BASIC_AUTH',
  'SASL_SCRAM_256_AUTH',
  'SASL_SCRAM_512_AUTH',
  'CLIENT_CERTIFICATE_TLS_AUTH',
  'SERVER_ROOT_CA_CERTIFICATE'
]
const accessTypes = oneOf(
  'BASIC_AUTH',
  'VPC_SUBNET',
  'VPC_SECURITY_GROUP',
  'SASL_SCRAM_512_AUTH',
  'SASL_SCRAM_256_AUTH',
  'VIRTUAL_HOST',
  'CLIENT_CERTIFICATE_TLS_AUTH',
  'SERVER_ROOT_CA_CERTIFICATE'
)
const uriPattern = 'satisfy regular expression pattern: [a-zA-Z0-9-\\/*:_+=.@-]*'
const uri = (URI: string): Members => ({ SourceAccessConfigurations: [{ Type: 'VPC_SUBNET', URI }] })
const firstUri = 'sourceAccessConfigurations.1.member.uRI'

creates('9.1 access', [
  { sent: {}, answered: { SourceAccessConfigurations: undefined } },
  { sent: { SourceAccessConfigurations: [] } },
  { strict: true, sent: { SourceAccessConfigurations: [] } },
  { strict: true, sent: {}, refused: invalid("Required 'sourceAccessConfigurations' parameter is missing.") },
  { sent: access('VPC_SUBNET', 'VPC_SUBNET', 'VPC_SECURITY_GROUP') },
  { strict: true, sent: access('VPC_SUBNET', 'VPC_SECURITY_GROUP') },
  {
    strict: true,
    sent: access('VPC_SUBNET'),
    refused: invalid(
      'SourceAccessConfigurations need both VPC_SUBNET and VPC_SECURITY_GROUP or neither, got VPC_SUBNET.'
    )
  },
  { of: msk, sent: access('VPC_SUBNET') },
  {
    of: { ...msk, StartingPosition: 'LATEST' },
    strict: true,
    sent: access('VPC_SUBNET'),
    refused: unsupported('sourceAccessConfigurations.VPC_SUBNET')
  },
  ...authentication.map(type => ({ sent: access(type), answered: access(type) })),
  ...authentication.map(type => ({
    sent: { SourceAccessConfigurations: [{ Type: type, URI: 'x' }] },
    refused: invalid(
      `SourceAccessConfigurations.${type} must name a secret by its ARN (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME), got x.`
    )
  })),
  ...['SASL_SCRAM_512_AUTH', 'CLIENT_CERTIFICATE_TLS_AUTH'].map(type => ({
    of: msk,
    sent: access(type),
    answered: access(type)
  })),
  { sent: access('SERVER_ROOT_CA_CERTIFICATE', 'BASIC_AUTH', 'VPC_SUBNET') },
  {
    sent: access('BASIC_AUTH', 'BASIC_AUTH'),
    refused: invalid('SourceAccessConfigurations may name BASIC_AUTH once.')
  },
  ...['BASIC_AUTH', 'SASL_SCRAM_256_AUTH', 'SERVER_ROOT_CA_CERTIFICATE', 'VIRTUAL_HOST'].map(type => ({
    of: msk,
    sent: access(type),
    refused: unsupported(`sourceAccessConfigurations.${type}`)
  })),
  { sent: access('VIRTUAL_HOST'), refused: unsupported('sourceAccessConfigurations.VIRTUAL_HOST') },
  {
    sent: access('BASIC_AUTH', 'SASL_SCRAM_256_AUTH'),
    refused: invalid(
      'SourceAccessConfigurations may name one kind of authentication, got BASIC_AUTH and SASL_SCRAM_256_AUTH.'
    )
  },
  { sent: access('x'), refused: broken('x', 'sourceAccessConfigurations.1.member.type', accessTypes) },
  {
    sent: { SourceAccessConfigurations: [{ Type: 'VPC_SUBNET' }] },
    refused: invalid('SourceAccessConfigurations need a Type and a URI each.')
  },
  { sent: uri('a b'), refused: broken('a b', firstUri, uriPattern) },
  { sent: uri(long(201)), refused: broken(long(201), firstUri, longest(200)) },
  {
    sent: access(...Array.from({ length: 23 }, () => 'VPC_SUBNET')),
    refused: broken(
      `[${Array.from({ length: 23 }, () => 'an object').join(', ')}]`,
      'sourceAccessConfigurations',
      longest(22)
    )
  }
])

const own = 'selfManagedKafkaEventSourceConfig'
creates('1.2 groups, pollers, metrics and what is not for Kafka', [
  { sent: { SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'mine' } } },
  { of: msk, sent: { AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: long(200) } } },
  {
    sent: { SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: long(201) } },
    refused: broken(long(201), `${own}.consumerGroupId`, longest(200))
  },
  {
    sent: { SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: '' } },
    refused: broken('', `${own}.consumerGroupId`, shortest(1))
  },
  {
    sent: { SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'a b' } },
    refused: broken('a b', `${own}.consumerGroupId`, uriPattern)
  },
  {
    sent: { AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'mine' } },
    refused: unsupported('amazonManagedKafkaEventSourceConfig')
  },
  { of: msk, sent: { SelfManagedKafkaEventSourceConfig: {} }, refused: unsupported(own) },
  {
    sent: { SelfManagedKafkaEventSourceConfig: { SchemaRegistryConfig: { SchemaRegistryURI: 'http://r' } } },
    refused: notBuilt('SchemaRegistryConfig')
  },
  {
    sent: { SelfManagedKafkaEventSourceConfig: { SchemaRegistryConfig: { EventRecordFormat: 'x' } } },
    refused: broken('x', `${own}.schemaRegistryConfig.eventRecordFormat`, oneOf('JSON', 'SOURCE'))
  },
  { sent: { ProvisionedPollerConfig: {} }, answered: { ProvisionedPollerConfig: undefined } },
  { sent: { ProvisionedPollerConfig: { MinimumPollers: 2 } }, refused: notBuilt('ProvisionedPollerConfig') },
  {
    sent: { ProvisionedPollerConfig: { MinimumPollers: 3, MaximumPollers: 2 } },
    refused: invalid('MaximumPollers must be greater than or equal to MinimumPollers')
  },
  {
    sent: { ProvisionedPollerConfig: { MinimumPollers: 0 } },
    refused: broken('0', 'provisionedPollerConfig.minimumPollers', atLeast(1))
  },
  {
    sent: { ProvisionedPollerConfig: { MaximumPollers: 2_001 } },
    refused: broken('2001', 'provisionedPollerConfig.maximumPollers', atMost(2_000))
  },
  {
    sent: { ProvisionedPollerConfig: { PollerGroupName: 'a b' } },
    refused: broken(
      'a b',
      'provisionedPollerConfig.pollerGroupName',
      'satisfy regular expression pattern: [a-zA-Z0-9-_]*'
    )
  },
  { sent: { MetricsConfig: { Metrics: [] } }, answered: { MetricsConfig: undefined } },
  { sent: { MetricsConfig: { Metrics: ['EventCount'] } }, refused: notBuilt('MetricsConfig') },
  {
    sent: { MetricsConfig: { Metrics: ['x'] } },
    refused: broken(
      '[x]',
      'metricsConfig.metrics',
      `satisfy constraint: [Member must ${oneOf('EventCount', 'ErrorCount', 'KafkaMetrics')}]`
    )
  },
  { sent: { LoggingConfig: {} }, answered: { LoggingConfig: undefined } },
  { sent: { LoggingConfig: { SystemLogLevel: 'INFO' } }, refused: notBuilt('LoggingConfig') },
  {
    sent: { LoggingConfig: { SystemLogLevel: 'TRACE' } },
    refused: broken('TRACE', 'loggingConfig.systemLogLevel', oneOf('DEBUG', 'INFO', 'WARN'))
  },
  { sent: { TumblingWindowInSeconds: 30 }, refused: unsupported('tumblingWindowInSeconds') },
  { sent: { Queues: ['q'] }, refused: unsupported('queues') },
  { sent: { ScalingConfig: { MaximumConcurrency: 2 } }, refused: unsupported('scalingConfig') },
  { sent: { DocumentDBEventSourceConfig: { DatabaseName: 'd' } }, refused: unsupported('documentDBEventSourceConfig') },
  { sent: { Tags: { team: 'a', 'aws:cloudformation:stack-name': 's' } }, answered: { Tags: undefined } },
  { sent: { Tags: { 'aws:x': '' } }, refused: invalid('Tag keys must not begin with aws:, got aws:x.') },
  { sent: { Tags: { 'millrace:max-rate': '5' } }, refused: notBuilt('the tag millrace:max-rate') },
  { sent: { Tags: { k: long(257) } }, refused: broken(long(257), 'tags.k', longest(256)) },
  {
    sent: { Tags: Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`k${n}`, ''])) },
    refused: invalid('Number of tags exceeds resource tag limit.')
  }
])
