import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyFor, localMapping, type Body, type LocalRules } from '../../../src/app/dev/local-mapping.ts'

const arn = 'arn:aws:kafka:eu-west-1:123456789012:cluster/shop/66c00183-efc6-4131-8478-9ea83dabbeb2-1'
const queue = 'arn:aws:sqs:eu-west-1:123456789012:failures'
const login = { Type: 'SASL_SCRAM_512_AUTH', URI: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:AmazonMSK_x' }
const bootstrap = ['127.0.0.1:1']

function setup(more: Body, rules: Partial<LocalRules> = {}) {
  const mapping = localMapping(
    { FunctionName: 'orders', Topics: ['orders'], StartingPosition: 'LATEST', ...more },
    'Orders',
    {
      strictAws: false,
      maxFilters: 5,
      configured: () => false,
      reachable: () => false,
      brokerName: 'the embedded broker',
      ...rules
    }
  )
  const { FunctionName: _, Topics: __, StartingPosition: ___, ...body } = bodyFor(mapping, bootstrap)
  return { ...mapping, body }
}

test('an MSK cluster is the broker, reached without the login that was written, and both are said', () => {
  const { body, stoodFor, notes } = setup({ EventSourceArn: arn, SourceAccessConfigurations: [login] })
  assert.deepEqual(body, { EventSourceArn: arn })
  assert.equal(stoodFor, arn)
  assert.deepEqual(notes, [
    `${arn} is the embedded broker here`,
    'SourceAccessConfigurations (SASL_SCRAM_512_AUTH) are left out: the broker is reached without a login'
  ])
})

test('an MSK cluster of the configuration is reached as that says, with its login', () => {
  const { body, onBroker } = setup(
    { EventSourceArn: arn, SourceAccessConfigurations: [login] },
    { configured: each => each === arn }
  )
  assert.equal(onBroker, false)
  assert.deepEqual(body, { EventSourceArn: arn, SourceAccessConfigurations: [login] })
})

test('brokers that are written are the broker of dev, and so are none', () => {
  const source = { SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: bootstrap } } }
  const kafka = setup({ SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka.shop:9092'] } } })
  assert.deepEqual(kafka.body, source)
  assert.deepEqual(kafka.notes, ['kafka.shop:9092 is the embedded broker here'])
  assert.deepEqual(setup({}).body, source)
})

test('failures for AWS go to a file where nobody answers for AWS, and else where they are to go', () => {
  const DestinationConfig = { OnFailure: { Destination: queue } }
  const local = setup({ DestinationConfig })
  assert.deepEqual(local.body['DestinationConfig'], { OnFailure: { Destination: 'file:sqs-failures.jsonl' } })
  assert.deepEqual(local.notes, [`${queue} is the file sqs-failures.jsonl in the folder for destinations here`])
  const reached = setup({ DestinationConfig }, { reachable: () => true })
  assert.deepEqual(reached.body['DestinationConfig'], DestinationConfig)
  assert.match(reached.notes[0] ?? '', /failures go to arn:aws:sqs:.* itself/)
  const topic = { OnFailure: { Destination: 'kafka://failures' } }
  assert.deepEqual(setup({ DestinationConfig: topic }).body['DestinationConfig'], topic)
})

test('what only says how AWS runs a mapping is left out, and said', () => {
  const { body, notes } = setup({
    ProvisionedPollerConfig: { MinimumPollers: 2 },
    MetricsConfig: { Metrics: ['EventCount'] }
  })
  assert.deepEqual(Object.keys(body), ['SelfManagedEventSource'])
  assert.deepEqual(notes, [
    'ProvisionedPollerConfig of Orders is left out: it means nothing here',
    'MetricsConfig of Orders is left out: it means nothing here'
  ])
})

test('what the rules of Create refuse is refused with its place, also what would have been left out', () => {
  const refused: readonly (readonly [Body, RegExp])[] = [
    [{ BatchSize: 0 }, /^The mapping Orders cannot be run: .*'batchSize'/],
    [{ EventSourceArn: arn, SourceAccessConfigurations: [{ ...login, Type: 'BASIC_AUTH' }] }, /BASIC_AUTH/],
    [
      { DestinationConfig: { OnFailure: { Destination: 'arn:aws:lambda:eu-west-1:123456789012:function:f' } } },
      /takes no failures/
    ],
    [{ FilterCriteria: { Filters: [{ Pattern: '{"value":{"a":[{"numeric":["?",1]}]}}' }] } }, /value\.a/]
  ]
  for (const [body, message] of refused) assert.throws(() => setup(body), { code: 'MILL_DEV_MAPPING', message })
})

test('by strict rules what was written is judged, not what runs', () => {
  const strict = { strictAws: true }
  const { body } = setup({ EventSourceArn: arn, DestinationConfig: { OnFailure: { Destination: queue } } }, strict)
  assert.deepEqual(body['DestinationConfig'], { OnFailure: { Destination: 'file:sqs-failures.jsonl' } })
  assert.throws(() => setup({ EventSourceArn: arn, ParallelizationFactor: 2 }, strict), /parallelizationFactor/)
})
