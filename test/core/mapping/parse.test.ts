import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCreate } from '../../../src/core/mapping/parse.ts'

const now = Date.UTC(2026, 10, 21)
const selfManaged = { SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:9092'] } } }
const arn = 'arn:aws:kafka:us-east-1:000000000000:cluster/local/1'

function setup(strictAws = false) {
  const parse = (members: Record<string, unknown>) =>
    parseCreate(
      { FunctionName: 'f', Topics: ['orders'], ...selfManaged, ...members },
      { strictAws, maxFilters: 5 },
      now
    )
  const msk = (members: Record<string, unknown>) =>
    parse({ SelfManagedEventSource: undefined, EventSourceArn: arn, ...members })
  return { parse, msk }
}

test('what is left out gets AWS’s defaults; the window stays out', () => {
  assert.deepEqual(setup().parse({}), {
    functionName: 'f',
    source: { kind: 'self-managed', bootstrapServers: ['kafka:9092'] },
    topic: 'orders',
    startingPosition: { kind: 'TRIM_HORIZON' },
    batchSize: 100,
    enabled: true,
    tags: {}
  })
})

test('a window of 0 is kept, for it is not the default', () => {
  assert.equal(setup().parse({ MaximumBatchingWindowInSeconds: 0 }).windowSeconds, 0)
})

test('the consumer group is read from the configuration of its own kind of source only', () => {
  const { parse, msk } = setup()
  const mine = { ConsumerGroupId: 'mine' }
  assert.equal(parse({ SelfManagedKafkaEventSourceConfig: mine }).consumerGroupId, 'mine')
  assert.equal(msk({ AmazonManagedKafkaEventSourceConfig: mine }).consumerGroupId, 'mine')
  assert.throws(() => parse({ AmazonManagedKafkaEventSourceConfig: mine }), {
    message: "Unsupported 'amazonManagedKafkaEventSourceConfig' parameter for given event source mapping type"
  })
})

const unknownSource = { code: 'MILL_EVENT_SOURCE_UNKNOWN', message: 'Unrecognized event source.' }
for (const members of [
  { SelfManagedEventSource: undefined },
  { SelfManagedEventSource: {} },
  { SelfManagedEventSource: undefined, EventSourceArn: 'arn:aws:sqs:us-east-1:000000000000:queue' },
  { SelfManagedEventSource: undefined, EventSourceArn: 'arn:aws:kafka:us-east-1:000000000000:topic/x' }
])
  test(`an event source that is none is not recognised: ${JSON.stringify(members)}`, () => {
    assert.throws(() => setup().parse(members), unknownSource)
  })

test('both kinds of source at once are refused', () => {
  assert.throws(() => setup().parse({ EventSourceArn: arn }), {
    message: 'Give EventSourceArn or SelfManagedEventSource, not both.'
  })
})

test('a port that no computer has, and a topic name that Kafka does not take, are refused', () => {
  const servers = (server: string) => ({ SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [server] } } })
  assert.throws(() => setup().parse(servers('kafka:70000')), { message: /port of 1 to 65535, got kafka:70000/ })
  assert.throws(() => setup().parse({ Topics: ['/rders'] }), { message: /as Kafka wants it, got \/rders/ })
  assert.throws(() => setup().parse({ Topics: undefined }), { message: "Required 'topics' parameter is missing." })
})

test('AT_TIMESTAMP needs a time, which is not in the future; no other position takes one', () => {
  const at = (StartingPosition: string | undefined, seconds?: number) => () =>
    setup().parse({ StartingPosition, StartingPositionTimestamp: seconds }).startingPosition
  assert.deepEqual(at('AT_TIMESTAMP', 1.5)(), { kind: 'AT_TIMESTAMP', timestampMs: 1500 })
  assert.deepEqual(at('LATEST')(), { kind: 'LATEST' })
  assert.throws(at('AT_TIMESTAMP'), { message: "Required 'startingPositionTimestamp' parameter is missing." })
  assert.throws(at('AT_TIMESTAMP', now / 1000 + 1), { message: 'StartingPositionTimestamp cannot be in the future.' })
  assert.throws(at('LATEST', 1), { code: 'MILL_PARAMETER_INVALID' })
})

const registry = { SchemaRegistryURI: 'https://registry' }
const notBuilt: readonly (readonly [Record<string, unknown>, string])[] = [
  [{ SelfManagedKafkaEventSourceConfig: { SchemaRegistryConfig: registry } }, 'SchemaRegistryConfig'],
  [{ ProvisionedPollerConfig: { MinimumPollers: 1 } }, 'ProvisionedPollerConfig'],
  [{ MetricsConfig: { Metrics: ['EventCount'] } }, 'MetricsConfig'],
  [{ LoggingConfig: { SystemLogLevel: 'INFO' } }, 'LoggingConfig'],
  [{ KMSKeyArn: 'arn:aws:kms:us-east-1:000000000000:key/1' }, 'KMSKeyArn'],
  [{ Tags: { 'millrace:max-rate': '5' } }, 'the tag millrace:max-rate']
]
for (const [members, what] of notBuilt)
  test(`what would be accepted and not done is refused by name: ${what}`, () => {
    assert.throws(() => setup().parse(members), {
      code: 'MILL_PARAMETER_NOT_BUILT',
      message: `Millrace does not support ${what} yet: remove it from the request.`
    })
  })

test('what to do when the function fails is taken as it was written', () => {
  const parsed = setup().parse({
    MaximumRetryAttempts: 0,
    MaximumRecordAgeInSeconds: 60,
    BisectBatchOnFunctionError: true,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    DestinationConfig: { OnFailure: { Destination: 'kafka://orders-failed' } }
  })
  assert.deepEqual(
    [
      parsed.maximumRetryAttempts,
      parsed.maximumRecordAgeSeconds,
      parsed.bisectBatchOnFunctionError,
      parsed.functionResponseTypes,
      parsed.destination
    ],
    [0, 60, true, ['ReportBatchItemFailures'], 'kafka://orders-failed']
  )
})

test('filters are taken as they were written, and refused in AWS’s words with the place and reason behind it', () => {
  const { parse } = setup()
  const Pattern = '{ "value": { "price": [ { "numeric": [ ">", 5 ] } ] } }'
  assert.deepEqual(parse({ FilterCriteria: { Filters: [{ Pattern }] } }).filters, [Pattern])
  assert.equal(parse({ FilterCriteria: { Filters: [] } }).filters, undefined)
  assert.throws(
    () => parse({ FilterCriteria: { Filters: [{ Pattern: '{"value":{"price":5}}' }] } }),
    (error: Error) => {
      assert.equal(error.message, 'Invalid filter pattern definition.')
      assert.match((error.cause as Error).message, /Filters\[0\]\.Pattern.*value\.price/)
      return true
    }
  )
  const six = Array.from({ length: 6 }, () => ({ Pattern }))
  assert.throws(() => parse({ FilterCriteria: { Filters: six } }), /at most 5 Filters, got 6/)
})

test('values that change nothing are taken', () => {
  const parsed = setup().parse({
    FilterCriteria: {},
    DestinationConfig: { OnFailure: { Destination: '' } },
    MaximumRetryAttempts: -1,
    MaximumRecordAgeInSeconds: -1,
    BisectBatchOnFunctionError: false,
    FunctionResponseTypes: [],
    SourceAccessConfigurations: [],
    SelfManagedKafkaEventSourceConfig: { SchemaRegistryConfig: {} },
    ProvisionedPollerConfig: {},
    MetricsConfig: { Metrics: [] },
    LoggingConfig: {},
    KMSKeyArn: ''
  })
  assert.deepEqual(
    [parsed.maximumRetryAttempts, parsed.functionResponseTypes, parsed.sourceAccess, parsed.consumerGroupId],
    [-1, [], [], undefined]
  )
})

for (const [name, value] of Object.entries({
  TumblingWindowInSeconds: 0,
  Queues: ['q'],
  ScalingConfig: {},
  DocumentDBEventSourceConfig: {}
}))
  test(`${name} belongs to other sources`, () => {
    const lower = name.charAt(0).toLowerCase() + name.slice(1)
    assert.throws(() => setup().parse({ [name]: value }), {
      message: `Unsupported '${lower}' parameter for given event source mapping type`
    })
  })

test('a success destination is refused before the source is looked at', () => {
  assert.throws(() => setup().parse({ SelfManagedEventSource: undefined, DestinationConfig: { OnSuccess: {} } }), {
    message: 'Unsupported DestinationConfig parameter for given event source mapping type.'
  })
})

test('a record age of 0 to 59 seconds does not exist', () => {
  assert.throws(() => setup().parse({ MaximumRecordAgeInSeconds: 59 }), {
    message: 'MaximumRecordAgeInSeconds must be -1 or between 60 and 604800'
  })
})

test('strict refuses what AWS refuses', () => {
  const { parse, msk } = setup(true)
  assert.throws(() => parse({}), { message: "Required 'sourceAccessConfigurations' parameter is missing." })
  assert.equal(parse({ SourceAccessConfigurations: [] }).topic, 'orders')
  assert.throws(() => parse({ SourceAccessConfigurations: [], ParallelizationFactor: 1 }), {
    message: "Unsupported 'parallelizationFactor' parameter for given event source mapping type"
  })
  assert.throws(() => msk({}), {
    aws: 'InvalidParameterValueException',
    message:
      "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null."
  })
})
