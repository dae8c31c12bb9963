import assert from 'node:assert/strict'
import { ApiError, type ApiAccess } from '../../support/mapping-api.ts'
import { eventually } from '../../support/poll.ts'
import { functionArn, mskArn, type ClientWorld } from './client-world.ts'

/** A foreign client of AWS Lambda. What is refused rejects with an `ApiError`. */
export interface LambdaCaller {
  /** One call by AWS's name of the operation; resolves with its answer. */
  call(access: ApiAccess, operation: string, input: Input): Promise<Answer>
  /** ListEventSourceMappings through all pages of this size, by the client's own means. */
  listAll(access: ApiAccess, input: Input, pageSize: number): Promise<readonly Answer[]>
}

export type Input = Readonly<Record<string, unknown>>
/** Registers a test, or says by name why it cannot run. */
export type Register = (name: string, body: () => Promise<void>) => void

export type Answer = Readonly<Record<string, unknown>>

/** Every topic that the tests below use. */
export const contractTopics = ['life', 'msk', 'page-0', 'page-1', 'page-2', 'tagged', 'refused', 'taken', 'fixed']

const selfManaged = (servers: string) => ({ Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [servers] } })
const nobody = '00000000-0000-4000-8000-000000000000'

/** What people do with mappings through a client of AWS's. Call it in the body of a suite. */
export function clientContract(world: ClientWorld, caller: LambdaCaller, test: Register): void {
  const call = (operation: string, input: Input) => caller.call(world.access, operation, input)
  const listAll = (input: Input) => caller.listAll(world.access, input, 2)
  const create = (topic: string, more: Input = {}) =>
    call('CreateEventSourceMapping', {
      FunctionName: 'first',
      Topics: [topic],
      SelfManagedEventSource: selfManaged(world.bootstrap),
      ...more
    })
  const inState = (UUID: unknown, state: string) =>
    eventually(async () => (await call('GetEventSourceMapping', { UUID }))['State'] === state, {
      describe: `${String(UUID)} is ${state}`,
      timeoutMs: 30_000
    })
  const refuses = async (code: string, message: RegExp | string, answer: Promise<unknown>) =>
    assert.rejects(answer, (error: ApiError) => {
      assert.equal(error.code, code, error.message)
      if (typeof message === 'string') assert.equal(error.message, message)
      else assert.match(error.message, message)
      return true
    })

  test('a self-managed mapping is created, found, changed, paused and deleted', async () => {
    const created = await create('life')
    const { UUID, LastModified, ...rest } = created
    assert.deepEqual(rest, {
      EventSourceMappingArn: `arn:aws:lambda:us-east-1:000000000000:event-source-mapping:${String(UUID)}`,
      FunctionArn: functionArn('first'),
      SelfManagedEventSource: selfManaged(world.bootstrap),
      SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: UUID },
      Topics: ['life'],
      StartingPosition: 'TRIM_HORIZON',
      BatchSize: 100,
      State: 'Creating',
      StateTransitionReason: 'USER_INITIATED',
      LastProcessingResult: 'No records processed'
    })
    assert.ok(Math.abs(epochSeconds(LastModified) - Date.now() / 1000) < 600, `LastModified is ${String(LastModified)}`)
    await inState(UUID, 'Enabled')

    const updated = await call('UpdateEventSourceMapping', {
      UUID,
      FunctionName: 'second',
      BatchSize: 7,
      MaximumBatchingWindowInSeconds: 0
    })
    assert.equal(updated['State'], 'Updating')
    await inState(UUID, 'Enabled')
    const got = await call('GetEventSourceMapping', { UUID })
    assert.deepEqual(
      [got['FunctionArn'], got['BatchSize'], got['MaximumBatchingWindowInSeconds']],
      [functionArn('second'), 7, 0]
    )

    assert.equal((await call('UpdateEventSourceMapping', { UUID, Enabled: false }))['State'], 'Disabling')
    await inState(UUID, 'Disabled')
    assert.equal((await call('DeleteEventSourceMapping', { UUID }))['State'], 'Deleting')
    await eventually(
      () =>
        call('GetEventSourceMapping', { UUID }).then(
          () => false,
          (error: unknown) => error instanceof ApiError && error.code === 'ResourceNotFoundException'
        ),
      { describe: 'the mapping is gone' }
    )
  })

  test('an MSK mapping keeps every member that was set', async () => {
    const members = {
      EventSourceArn: mskArn,
      StartingPosition: 'AT_TIMESTAMP',
      BatchSize: 10_000,
      MaximumBatchingWindowInSeconds: 300,
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'a:group/of-our.own' }
    }
    const created = await call('CreateEventSourceMapping', {
      ...members,
      StartingPositionTimestamp: 1_700_000_000,
      FunctionName: `${functionArn('first')}:$LATEST`,
      Topics: ['msk'],
      Enabled: false
    })
    for (const [name, value] of Object.entries(members)) assert.deepEqual(created[name], value, name)
    assert.equal(epochSeconds(created['StartingPositionTimestamp']), 1_700_000_000)
    assert.equal(created['FunctionArn'], `${functionArn('first')}:$LATEST`)
    assert.equal(created['SelfManagedEventSource'], undefined)
    await inState(created['UUID'], 'Disabled')
  })

  test('pages of a list join to the whole, and filters keep to what they name', async () => {
    const topics = ['page-0', 'page-1', 'page-2']
    for (const topic of topics) await create(topic, { FunctionName: 'second:paged', Enabled: false })
    const found = await listAll({ FunctionName: 'second:paged' })
    assert.deepEqual(
      found.map(mapping => mapping['Topics']),
      topics.map(topic => [topic])
    )
    assert.deepEqual(await listAll({ FunctionName: 'nobody' }), [])
    assert.deepEqual(await listAll({ EventSourceArn: `${mskArn}9` }), [])
  })

  test('tags are set, added to and taken away by the ARN of a mapping', async () => {
    const { EventSourceMappingArn: Resource } = await create('tagged', {
      Enabled: false,
      Tags: { team: 'shop', tier: '1' }
    })
    await call('TagResource', { Resource, Tags: { tier: '2', empty: '' } })
    assert.deepEqual((await call('ListTags', { Resource }))['Tags'], { team: 'shop', tier: '2', empty: '' })
    await call('UntagResource', { Resource, TagKeys: ['team', 'never-there'] })
    assert.deepEqual((await call('ListTags', { Resource }))['Tags'], { tier: '2', empty: '' })
  })

  test('functions of the configuration are looked up', async () => {
    const { Configuration } = await call('GetFunction', { FunctionName: 'first' })
    assert.equal((Configuration as Answer)['FunctionArn'], functionArn('first'))
    assert.equal((await call('GetFunctionConfiguration', { FunctionName: 'first' }))['FunctionName'], 'first')
    await refuses(
      'ResourceNotFoundException',
      `Function not found: ${functionArn('nobody')}`,
      call('GetFunction', { FunctionName: 'nobody' })
    )
  })

  test('refusals come as AWS words them', async () => {
    const arn = `arn:aws:lambda:us-east-1:000000000000:event-source-mapping:${nobody}`
    const gone = 'The resource you requested does not exist.'
    for (const operation of ['GetEventSourceMapping', 'UpdateEventSourceMapping', 'DeleteEventSourceMapping']) {
      await refuses('ResourceNotFoundException', gone, call(operation, { UUID: nobody }))
    }
    await refuses(
      'InvalidParameterValueException',
      'Unrecognized event source.',
      call('CreateEventSourceMapping', { FunctionName: 'first', Topics: ['refused'] })
    )
    await refuses(
      'InvalidParameterValueException',
      'Function does not exist',
      create('refused', { FunctionName: 'nobody' })
    )
    await refuses(
      'ValidationException',
      "1 validation error detected: Value 'SOON' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
      create('refused', { StartingPosition: 'SOON' })
    )
    await refuses(
      'ValidationException',
      /^2 validation errors detected: Value '10001' at 'batchSize'.*less than or equal to 10000; Value '301' at 'maximumBatchingWindowInSeconds'/,
      create('refused', { BatchSize: 10_001, MaximumBatchingWindowInSeconds: 301 })
    )
    await refuses(
      'InvalidParameterValueException',
      'Unsupported DestinationConfig parameter for given event source mapping type.',
      create('refused', { DestinationConfig: { OnSuccess: { Destination: functionArn('second') } } })
    )
    await refuses(
      'InvalidParameterValueException',
      /^Unsupported 'tumblingWindowInSeconds' parameter for given event source mapping type/,
      create('refused', { TumblingWindowInSeconds: 30 })
    )
    await refuses(
      'ResourceNotFoundException',
      `Event source mapping not found: ${arn}`,
      call('ListTags', { Resource: arn })
    )
    await refuses('UnknownOperationException', /ListLayers/, call('ListLayers', {}))
  })

  test('a second mapping of the same function and topic is a conflict that names the first', async () => {
    const { UUID } = await create('taken', { Enabled: false })
    await refuses(
      'ResourceConflictException',
      `An event source mapping with event source ("${world.bootstrap}"), function ("${functionArn('first')}"), topics ("taken") already exists. Please update or delete the existing mapping with UUID ${String(UUID)}`,
      create('taken')
    )
  })

  test('the consumer group cannot be changed', async () => {
    const { UUID } = await create('fixed', { Enabled: false })
    await refuses(
      'InvalidParameterValueException',
      /^Unsupported 'selfManagedKafkaEventSourceConfig\.consumerGroupId' parameter/,
      call('UpdateEventSourceMapping', { UUID, SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'other' } })
    )
  })

  test('a wrong secret is refused', async () => {
    await refuses(
      'InvalidSignatureException',
      /^The request signature we calculated does not match/,
      caller.call({ ...world.access, secretAccessKey: 'wrong' }, 'ListEventSourceMappings', {})
    )
  })
}

/** Version 2 of the AWS CLI writes times in words. */
const epochSeconds = (time: unknown): number => (typeof time === 'string' ? Date.parse(time) / 1000 : Number(time))
