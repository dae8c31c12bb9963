import {
  CreateEventSourceMappingCommand,
  DeleteEventSourceMappingCommand,
  GetAccountSettingsCommand,
  GetEventSourceMappingCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvalidParameterValueException,
  InvokeCommand,
  ListEventSourceMappingsCommand,
  ListFunctionsCommand,
  ListTagsCommand,
  ListVersionsByFunctionCommand,
  ResourceConflictException,
  ResourceInUseException,
  ResourceNotFoundException,
  ServiceException,
  TagResourceCommand,
  TooManyRequestsException,
  UntagResourceCommand,
  UpdateEventSourceMappingCommand
} from '@aws-sdk/client-lambda'
import type { CreateEventSourceMappingRequest } from '@aws-sdk/client-lambda'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Mapping } from '../../src/core/mapping/mapping.ts'
import type { InvokeReply } from '../../src/core/retry/reply.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import { anAuthor } from '../support/stored-mapping.ts'
import { functionArn, mskArn, openControlWorld } from './control-world.ts'

const endpoints = (...servers: string[]) => ({ Endpoints: { KAFKA_BOOTSTRAP_SERVERS: servers } })
const basic: CreateEventSourceMappingRequest = {
  FunctionName: 'f',
  SelfManagedEventSource: endpoints('kafka:1000'),
  Topics: ['topic']
}
const create = (overrides: Partial<CreateEventSourceMappingRequest> = {}) =>
  new CreateEventSourceMappingCommand({ ...basic, ...overrides })

const fleet = anAuthor({ who: 'fleet', operation: 'StateTransition' })

/** Does what the fleet does when a transition is over. */
async function settle(store: MemoryStore, uuid: string | undefined, state: Mapping['state']): Promise<void> {
  const mapping = await store.get(uuid ?? '')
  assert.ok(mapping !== undefined)
  await store.update(mapping.uuid, mapping.version, { state }, fleet)
}

test('a mapping made with the least is what AWS returns for it', async () => {
  await using world = await openControlWorld()
  const answer = await world.client.send(create())
  const { $metadata, LastModified, ...rest } = answer
  assert.equal($metadata.httpStatusCode, 202)
  assert.match($metadata.requestId ?? '', /^[0-9a-f-]{36}$/)
  assert.ok(LastModified instanceof Date && Math.abs(LastModified.getTime() - Date.now()) < 60_000)
  assert.match(rest.UUID ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.deepEqual(rest, {
    UUID: rest.UUID,
    EventSourceMappingArn: `arn:aws:lambda:us-east-1:000000000000:event-source-mapping:${rest.UUID}`,
    BatchSize: 100,
    FunctionArn: functionArn('f'),
    LastProcessingResult: 'No records processed',
    SelfManagedEventSource: endpoints('kafka:1000'),
    SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: rest.UUID },
    StartingPosition: 'TRIM_HORIZON',
    State: 'Creating',
    StateTransitionReason: 'USER_INITIATED',
    Topics: ['topic']
  })
})

test('an MSK mapping with every member that works comes back as it was sent', async () => {
  await using world = await openControlWorld()
  const answer = await world.client.send(
    new CreateEventSourceMappingCommand({
      FunctionName: 'f:$LATEST',
      EventSourceArn: mskArn,
      Topics: ['topic'],
      StartingPosition: 'AT_TIMESTAMP',
      StartingPositionTimestamp: new Date(1_700_000_000_500),
      BatchSize: 7,
      MaximumBatchingWindowInSeconds: 0,
      ParallelizationFactor: 3,
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'mine' },
      SourceAccessConfigurations: [{ Type: 'VPC_SUBNET', URI: 'subnet:subnet-1' }],
      Enabled: false,
      MaximumRetryAttempts: -1,
      MaximumRecordAgeInSeconds: -1,
      BisectBatchOnFunctionError: false,
      FunctionResponseTypes: [],
      FilterCriteria: { Filters: [] },
      DestinationConfig: { OnFailure: {} },
      MetricsConfig: { Metrics: [] },
      KMSKeyArn: ''
    })
  )
  const { $metadata: _metadata, LastModified: _modified, UUID, EventSourceMappingArn: _arn, ...rest } = answer
  assert.deepEqual(rest, {
    FunctionArn: `${functionArn('f')}:$LATEST`,
    EventSourceArn: mskArn,
    Topics: ['topic'],
    StartingPosition: 'AT_TIMESTAMP',
    StartingPositionTimestamp: new Date(1_700_000_000_500),
    BatchSize: 7,
    MaximumBatchingWindowInSeconds: 0,
    ParallelizationFactor: 3,
    AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'mine' },
    SourceAccessConfigurations: [{ Type: 'VPC_SUBNET', URI: 'subnet:subnet-1' }],
    MaximumRetryAttempts: -1,
    MaximumRecordAgeInSeconds: -1,
    BisectBatchOnFunctionError: false,
    FunctionResponseTypes: [],
    State: 'Creating',
    StateTransitionReason: 'USER_INITIATED',
    LastProcessingResult: 'No records processed'
  })
  assert.equal((await world.store.get(UUID ?? ''))?.spec.enabled, false)
})

test('Get answers what Create answered; an unknown UUID is AWS’s 404', async () => {
  await using world = await openControlWorld()
  const made = await world.client.send(create())
  const got = await world.client.send(new GetEventSourceMappingCommand({ UUID: made.UUID }))
  assert.deepEqual({ ...got, $metadata: undefined }, { ...made, $metadata: undefined })
  for (const command of [
    new GetEventSourceMappingCommand({ UUID: 'none' }),
    new DeleteEventSourceMappingCommand({ UUID: 'none' }),
    new UpdateEventSourceMappingCommand({ UUID: 'none', BatchSize: 5 })
  ])
    await assert.rejects(
      world.client.send(command),
      (error: unknown) =>
        error instanceof ResourceNotFoundException &&
        error.message === 'The resource you requested does not exist.' &&
        error.Type === 'User' &&
        error.$metadata.httpStatusCode === 404
    )
})

test('Update changes what it names, and answers with the transition', async () => {
  await using world = await openControlWorld()
  const { UUID } = await world.client.send(create())
  const update = async (change: Partial<UpdateEventSourceMappingCommand['input']>) =>
    world.client.send(new UpdateEventSourceMappingCommand({ UUID, ...change }))

  await settle(world.store, UUID, 'Enabled')
  const changed = await update({ BatchSize: 5, MaximumBatchingWindowInSeconds: 2, ParallelizationFactor: 2 })
  assert.equal(changed.$metadata.httpStatusCode, 202)
  assert.deepEqual(
    [changed.State, changed.BatchSize, changed.MaximumBatchingWindowInSeconds, changed.ParallelizationFactor],
    ['Updating', 5, 2, 2]
  )
  await settle(world.store, UUID, 'Enabled')
  assert.equal((await update({ Enabled: false })).State, 'Disabling')
  await settle(world.store, UUID, 'Disabled')
  const moved = await update({ Enabled: true, FunctionName: 'g:7' })
  assert.deepEqual([moved.State, moved.FunctionArn, moved.BatchSize], ['Enabling', `${functionArn('g')}:7`, 5])
  const back = await update({ FunctionName: functionArn('g') })
  assert.equal(back.FunctionArn, functionArn('g'))
  const stored = await world.store.get(UUID ?? '')
  assert.deepEqual([stored?.spec.qualifier, stored?.specVersion], [undefined, 5])
})

test('an Update that changes nothing restarts no poller', async () => {
  await using world = await openControlWorld()
  const { UUID } = await world.client.send(create())
  const answer = await world.client.send(new UpdateEventSourceMappingCommand({ UUID, BatchSize: 100, Enabled: true }))
  assert.equal(answer.State, 'Updating')
  assert.equal((await world.store.get(UUID ?? ''))?.specVersion, 1)
})

test('Delete answers Deleting; what is being deleted can be neither deleted again nor brought back', async () => {
  await using world = await openControlWorld()
  const { UUID } = await world.client.send(create())
  const answer = await world.client.send(new DeleteEventSourceMappingCommand({ UUID }))
  assert.deepEqual([answer.$metadata.httpStatusCode, answer.State], [202, 'Deleting'])
  const inUse = (verb: string) => (error: unknown) =>
    error instanceof ResourceInUseException &&
    error.message === `Cannot ${verb} the event source mapping because it is in use.` &&
    error.$metadata.httpStatusCode === 400
  await assert.rejects(world.client.send(new DeleteEventSourceMappingCommand({ UUID })), inUse('delete'))
  await assert.rejects(world.client.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: true })), inUse('update'))
})

test('in the middle of a transition a change is taken; strict refuses it as AWS does', async () => {
  await using world = await openControlWorld()
  const { UUID } = await world.client.send(create())
  assert.equal(
    (await world.client.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }))).State,
    'Disabling'
  )
  await using strict = await openControlWorld({ strictAws: true })
  const made = await strict.client.send(create({ SourceAccessConfigurations: [] }))
  const update = new UpdateEventSourceMappingCommand({ UUID: made.UUID, Enabled: false })
  await assert.rejects(strict.client.send(update), ResourceInUseException)
  await settle(strict.store, made.UUID, 'Enabled')
  assert.equal((await strict.client.send(update)).State, 'Disabling')
})

test('an Update that meets another writer decides anew on what is there now', async () => {
  await using world = await openControlWorld()
  const { UUID } = await world.client.send(create())
  const { store } = world
  const update = store.update.bind(store)
  let meddled = 0
  store.update = async (uuid, version, change, author) => {
    // The fleet is faster, three times.
    if (meddled++ < 3) await update(uuid, version, { state: 'Enabled', lastProcessingResult: `OK ${meddled}` }, fleet)
    return update(uuid, version, change, author)
  }
  const answer = await world.client.send(new UpdateEventSourceMappingCommand({ UUID, BatchSize: 9 }))
  assert.deepEqual([answer.BatchSize, answer.State, answer.LastProcessingResult], [9, 'Updating', 'OK 3'])
})

test('101 mappings come as 100 and 1, in the order of creation', async () => {
  await using world = await openControlWorld()
  const made: (string | undefined)[] = []
  for (let n = 0; n < 101; n++) made.push((await world.client.send(create({ Topics: [`topic-${n}`] }))).UUID)
  const first = await world.client.send(new ListEventSourceMappingsCommand({ MaxItems: 10_000 }))
  const second = await world.client.send(new ListEventSourceMappingsCommand({ Marker: first.NextMarker }))
  assert.deepEqual([first.EventSourceMappings?.length, second.EventSourceMappings?.length], [100, 1])
  assert.equal(second.NextMarker, undefined)
  const listed = [...(first.EventSourceMappings ?? []), ...(second.EventSourceMappings ?? [])]
  assert.deepEqual(
    listed.map(mapping => mapping.UUID),
    made
  )
})

test('List filters by function, in every form of its name, and by source', async () => {
  await using world = await openControlWorld()
  const self = await world.client.send(create())
  const qualified = await world.client.send(create({ FunctionName: 'f:1' }))
  const msk = await world.client.send(
    new CreateEventSourceMappingCommand({ FunctionName: 'f', EventSourceArn: mskArn, Topics: ['topic'] })
  )
  const list = async (query: ListEventSourceMappingsCommand['input']) =>
    (await world.client.send(new ListEventSourceMappingsCommand(query))).EventSourceMappings?.map(one => one.UUID)
  for (const name of ['f', functionArn('f'), '000000000000:function:f'])
    assert.deepEqual(await list({ FunctionName: name }), [self.UUID, msk.UUID])
  assert.deepEqual(await list({ FunctionName: 'f:1' }), [qualified.UUID])
  assert.deepEqual(await list({ EventSourceArn: mskArn }), [msk.UUID])
  assert.deepEqual(await list({ EventSourceArn: mskArn, FunctionName: 'g' }), [])
  assert.deepEqual(await list({ FunctionName: 'nobody-knows' }), [])
})

test('a second mapping of the same function, topic and server is a conflict that names the first', async () => {
  await using world = await openControlWorld()
  const first = await world.client.send(create())
  const second = create({ SelfManagedEventSource: endpoints('kafka:1000', 'kafka:2000') })
  await assert.rejects(
    world.client.send(second),
    (error: unknown) =>
      error instanceof ResourceConflictException &&
      error.$metadata.httpStatusCode === 409 &&
      error.message ===
        `An event source mapping with event source ("kafka:1000,kafka:2000"), function ("${functionArn('f')}"), topics ("topic") already exists. Please update or delete the existing mapping with UUID ${first.UUID}`
  )
  const other = await world.client.send(create({ FunctionName: 'g' }))
  await assert.rejects(
    world.client.send(new UpdateEventSourceMappingCommand({ UUID: other.UUID, FunctionName: 'f' })),
    ResourceConflictException
  )
})

const refusals: readonly (readonly [Partial<CreateEventSourceMappingRequest>, string])[] = [
  [{ FunctionName: 'nobody' }, 'Function does not exist'],
  [{ FunctionName: 'arn:aws:lambda:eu-west-1:000000000000:function:f' }, 'Function does not exist'],
  [
    { FunctionName: 'slow' },
    'Function timeout must not exceed 840 seconds for Kafka event source mappings: that of slow is 841 s.'
  ],
  [
    { SelfManagedEventSource: undefined, EventSourceArn: `${mskArn}2` },
    `Cluster ${mskArn}2 is not in the configuration, and MSK does not know it: add it under "clusters" with its brokers.`
  ],
  [{ FilterCriteria: { Filters: [{ Pattern: '{}' }] } }, 'Invalid filter pattern definition.']
]
for (const [overrides, message] of refusals)
  test(`Create is refused as an InvalidParameterValueException: ${message}`, async () => {
    await using world = await openControlWorld()
    await assert.rejects(
      world.client.send(create(overrides)),
      (error: unknown) => error instanceof InvalidParameterValueException && error.message.startsWith(message)
    )
    assert.deepEqual((await world.store.list({}, 10)).mappings, [])
  })

test('broken limits come together in one ValidationException', async () => {
  await using world = await openControlWorld()
  await assert.rejects(world.client.send(create({ BatchSize: 10_001, MaximumBatchingWindowInSeconds: -1 })), {
    name: 'ValidationException',
    message:
      "2 validation errors detected: Value '10001' at 'batchSize' failed to satisfy constraint: Member must have value less than or equal to 10000; Value '-1' at 'maximumBatchingWindowInSeconds' failed to satisfy constraint: Member must have value greater than or equal to 0"
  })
})

test('functions can be looked up, with their qualifiers', async () => {
  await using world = await openControlWorld()
  const got = await world.client.send(new GetFunctionCommand({ FunctionName: 'f', Qualifier: '3' }))
  assert.deepEqual(
    [got.Configuration?.FunctionName, got.Configuration?.FunctionArn, got.Configuration?.Version],
    ['f', `${functionArn('f')}:3`, '3']
  )
  const configuration = await world.client.send(new GetFunctionConfigurationCommand({ FunctionName: functionArn('g') }))
  assert.deepEqual([configuration.Timeout, configuration.State], [30, 'Active'])
  const first = await world.client.send(new ListFunctionsCommand({ MaxItems: 2 }))
  const second = await world.client.send(new ListFunctionsCommand({ Marker: first.NextMarker }))
  const names = [first, second].map(page => page.Functions?.map(one => one.FunctionName))
  assert.deepEqual(names, [['f', 'g'], ['slow']])
  await assert.rejects(
    world.client.send(new GetFunctionCommand({ FunctionName: 'nobody' })),
    (error: unknown) =>
      error instanceof ResourceNotFoundException && error.message === `Function not found: ${functionArn('nobody')}`
  )
})

test('tags come from Create, are merged, taken off and listed', async () => {
  await using world = await openControlWorld()
  const { EventSourceMappingArn: Resource, UUID } = await world.client.send(create({ Tags: { a: '1', b: '2' } }))
  const tagged = await world.client.send(new TagResourceCommand({ Resource, Tags: { b: '3', c: 'x y' } }))
  assert.equal(tagged.$metadata.httpStatusCode, 204)
  await world.client.send(new UntagResourceCommand({ Resource, TagKeys: ['a', 'never'] }))
  assert.deepEqual((await world.client.send(new ListTagsCommand({ Resource }))).Tags, { b: '3', c: 'x y' })
  assert.equal((await world.store.get(UUID ?? ''))?.specVersion, 1)
  const missing = `${Resource?.slice(0, -12)}000000000000`
  await assert.rejects(
    world.client.send(new ListTagsCommand({ Resource: missing })),
    (error: unknown) =>
      error instanceof ResourceNotFoundException && error.message === `Event source mapping not found: ${missing}`
  )
  await assert.rejects(world.client.send(new ListTagsCommand({ Resource: `${Resource}:alias` })), {
    name: 'ValidationException'
  })
})

test('too many tags, and tags that would switch on what is not there, are refused', async () => {
  await using world = await openControlWorld()
  const many = Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`k${n}`, '']))
  await assert.rejects(world.client.send(create({ Tags: many })), {
    name: 'InvalidParameterValueException',
    message: 'Number of tags exceeds resource tag limit.'
  })
  await assert.rejects(world.client.send(create({ Tags: { 'millrace:ordering': 'key' } })), {
    message: 'Millrace does not support the tag millrace:ordering yet: remove it from the request.'
  })
})

test('Invoke hands over what the function answered, whatever that was', async () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const replies: InvokeReply[] = [
    { kind: 'returned', payload: bytes('{"ok":true}') },
    { kind: 'function-error', errorType: 'E', errorMessage: 'boom', payload: bytes('{"errorMessage":"boom"}') },
    { kind: 'timed-out', afterMs: 3000 }
  ]
  const calls: unknown[] = []
  await using world = await openControlWorld({
    invoke: async (entry, { payload, qualifier }) => {
      calls.push([entry.name, Buffer.from(payload).toString(), qualifier])
      return replies.shift() ?? { kind: 'throttled', message: 'busy' }
    }
  })
  const invoke = async (name = 'f') =>
    world.client.send(new InvokeCommand({ FunctionName: name, Payload: bytes('{"a":1}') }))
  const returned = await invoke('f:2')
  assert.deepEqual([returned.StatusCode, returned.Payload?.transformToString()], [200, '{"ok":true}'])
  assert.deepEqual(calls, [['f', '{"a":1}', '2']])
  assert.equal((await invoke()).FunctionError, 'Unhandled')
  assert.match((await invoke()).Payload?.transformToString() ?? '', /Task timed out after 3.00 seconds/)
  await assert.rejects(invoke(), TooManyRequestsException)
})

test('an operation of Lambda that is not here is named', async () => {
  await using world = await openControlWorld()
  await assert.rejects(world.client.send(new ListVersionsByFunctionCommand({ FunctionName: 'f' })), {
    name: 'UnknownOperationException',
    message: 'Millrace does not have the operation ListVersionsByFunction of AWS Lambda.'
  })
})

test('a key with read access reads and does not write', async () => {
  await using world = await openControlWorld()
  const reader = world.clientOf('reader')
  assert.deepEqual((await reader.send(new ListEventSourceMappingsCommand({}))).EventSourceMappings, [])
  await assert.rejects(reader.send(create()), {
    name: 'AccessDeniedException',
    message: 'Access key reader has read access and may not perform lambda:CreateEventSourceMapping.'
  })
})

test('an unknown key and a wrong secret are told apart as AWS does', async () => {
  await using world = await openControlWorld()
  const list = new ListEventSourceMappingsCommand({})
  await assert.rejects(world.clientOf('stranger').send(list), { name: 'UnrecognizedClientException' })
  await assert.rejects(world.clientOf('writer', 'wrong').send(list), { name: 'InvalidSignatureException' })
})

test('a store that fails is a ServiceException, and the next request works', async () => {
  await using world = await openControlWorld()
  world.store.failNext('disk full')
  await assert.rejects(
    world.client.send(create()),
    (error: unknown) =>
      error instanceof ServiceException && error.message === 'The mapping store cannot be used: disk full'
  )
  assert.equal((await world.client.send(create())).State, 'Creating')
})

test('Invoke tells the end of the log when it is asked for', async () => {
  await using world = await openControlWorld({
    invoke: async (_entry, { logTail }) => ({
      kind: 'returned',
      payload: Buffer.from('{}'),
      ...(logTail ? { logResult: 'bG9n' } : {})
    })
  })
  const invoke = async (LogType?: 'None' | 'Tail') =>
    (await world.client.send(new InvokeCommand({ FunctionName: 'f', LogType }))).LogResult
  assert.deepEqual([await invoke(), await invoke('None'), await invoke('Tail')], [undefined, undefined, 'bG9n'])
})

test('Invoke hands on the caller’s trace and client context, and refuses a context that is none', async () => {
  const seen: unknown[] = []
  await using world = await openControlWorld({
    invoke: async (_entry, { trace, clientContext }) => {
      seen.push([trace, clientContext])
      return { kind: 'returned', payload: Buffer.from('null') }
    }
  })
  const trace = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1'
  world.client.middlewareStack.add(
    next => args => {
      const { headers } = args.request as { headers: Record<string, string> }
      headers['x-amzn-trace-id'] = trace
      return next(args)
    },
    { step: 'build' }
  )
  const invoke = async (ClientContext?: string) =>
    world.client.send(new InvokeCommand({ FunctionName: 'f', ClientContext }))
  await invoke('eyJhIjoxfQ==')
  await invoke()
  assert.deepEqual(seen, [
    [trace, 'eyJhIjoxfQ=='],
    [trace, undefined]
  ])
  await assert.rejects(invoke('WzFd'), {
    name: 'InvalidParameterValueException',
    message: /^X-Amz-Client-Context must be base64 of a JSON object/
  })
})

test('Invoke as an event answers before the function has run; a dry run runs nothing', async () => {
  const called = Promise.withResolvers<string>()
  const release = Promise.withResolvers<InvokeReply>()
  await using world = await openControlWorld({
    invoke: async (_entry, { payload }) => {
      called.resolve(Buffer.from(payload).toString())
      return release.promise
    }
  })
  const invoke = async (InvocationType: 'Event' | 'DryRun', Payload = '{"a":1}') =>
    world.client.send(new InvokeCommand({ FunctionName: 'f', InvocationType, Payload: Buffer.from(Payload) }))
  assert.equal((await invoke('DryRun')).StatusCode, 204)
  const accepted = await invoke('Event')
  assert.deepEqual([accepted.StatusCode, accepted.Payload?.byteLength ?? 0], [202, 0])
  assert.equal(await called.promise, '{"a":1}')
  release.resolve({ kind: 'returned', payload: Buffer.from('{}') })
  await assert.rejects(invoke('Event', `"${'x'.repeat(1_048_575)}"`), {
    message: 'Request must be smaller than 1048576 bytes for the InvokeFunction operation'
  })
})

test('account settings have plausible limits and the true number of functions', async () => {
  await using world = await openControlWorld()
  const { AccountLimit, AccountUsage } = await world.clientOf('reader').send(new GetAccountSettingsCommand({}))
  assert.deepEqual([AccountLimit?.ConcurrentExecutions, AccountUsage], [1000, { TotalCodeSize: 0, FunctionCount: 3 }])
})
