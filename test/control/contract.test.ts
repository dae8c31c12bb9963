import {
  ListEventSourceMappingsCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateEventSourceMappingCommand
} from '@aws-sdk/client-lambda'
import type { UpdateEventSourceMappingRequest } from '@aws-sdk/client-lambda'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aCatalog, aFunction, functionArn, mskArn, openControlWorld } from './control-world.ts'
import {
  collection,
  servers,
  smk,
  msk,
  invalid,
  broken,
  atMost,
  atLeast,
  createRaw,
  createBySdk,
  assertRaw
} from './contract-rows.ts'
import type { Members } from './contract-rows.ts'
import { signedFetch } from './signed-fetch.ts'

// Order of checks, times, clearing, conflicts, pages and tags: section numbers are those of the reference.

const future = new Date(4_000_000_000_000)

test('1.10: what is wrong first in AWS’s order is what is said', async () => {
  await using world = await openControlWorld()
  const first = async (body: Members): Promise<unknown> => (await createRaw(world, body)).body['message']
  await createRaw(world, smk)
  const steps: [Members, RegExp][] = [
    [{ BatchSize: 0 }, /^1 validation error/],
    [{ DestinationConfig: { OnSuccess: {} } }, /^Unsupported DestinationConfig/],
    [{ SelfManagedEventSource: undefined }, /^Unrecognized/],
    [{ Queues: ['q'] }, /^Unsupported 'queues'/],
    [{ Topics: undefined }, /^Required 'topics'/],
    [{ StartingPosition: 'AT_TIMESTAMP' }, /^Required 'startingPositionTimestamp'/],
    [{ FilterCriteria: { Filters: [{ Pattern: 'x' }] } }, /^Invalid filter/],
    [{ FunctionName: 'nobody' }, /^Function does not exist/],
    [{}, /already exists/]
  ]
  for (const [at, [, message]] of steps.entries()) {
    // Everything that is checked later is wrong as well.
    const body = Object.assign(
      {},
      smk,
      ...steps
        .slice(at)
        .map(([wrong]) => wrong)
        .toReversed()
    ) as Members
    assert.match(String(await first(body)), message)
  }
})

test('1.2: a time may be a number of seconds with a fraction, or ISO 8601, and comes back as a number', async () => {
  for (const [sent, answered] of [
    [1_700_000_000.5, 1_700_000_000.5],
    ['2023-11-14T22:13:20Z', 1_700_000_000],
    [0, 0]
  ] as const) {
    await using world = await openControlWorld()
    const made = await createRaw(world, {
      ...smk,
      StartingPosition: 'AT_TIMESTAMP',
      StartingPositionTimestamp: sent
    })
    assert.deepEqual([made.status, made.body['StartingPositionTimestamp']], [202, answered])
  }
  await using world = await openControlWorld()
  const ahead = { ...smk, StartingPosition: 'AT_TIMESTAMP', StartingPositionTimestamp: future.getTime() / 1000 }
  assertRaw(await createRaw(world, ahead), invalid('StartingPositionTimestamp cannot be in the future.'))
  assertRaw(
    await createRaw(world, { ...ahead, StartingPosition: 'LATEST' }),
    invalid('StartingPositionTimestamp is only valid with the starting position AT_TIMESTAMP.')
  )
})

const own = 'selfManagedKafkaEventSourceConfig'
const cleared: readonly (readonly [UpdateEventSourceMappingRequest, Members])[] = [
  [{ UUID: '', DestinationConfig: { OnFailure: { Destination: '' } } }, { DestinationConfig: undefined }],
  [{ UUID: '', DestinationConfig: {} }, { DestinationConfig: undefined }],
  [{ UUID: '', DestinationConfig: { OnFailure: {} } }, { DestinationConfig: undefined }],
  [{ UUID: '', FilterCriteria: {} }, { FilterCriteria: undefined }],
  [{ UUID: '', FilterCriteria: { Filters: [] } }, { FilterCriteria: undefined }],
  [{ UUID: '', ProvisionedPollerConfig: {} }, { ProvisionedPollerConfig: undefined }],
  [{ UUID: '', KMSKeyArn: '' }, { KMSKeyArn: undefined }],
  [{ UUID: '', MetricsConfig: { Metrics: [] } }, { MetricsConfig: undefined }],
  [{ UUID: '', FunctionResponseTypes: [] }, { FunctionResponseTypes: [] }],
  [{ UUID: '', SelfManagedKafkaEventSourceConfig: { SchemaRegistryConfig: {} } }, {}],
  [{ UUID: '', SelfManagedKafkaEventSourceConfig: {} }, {}],
  [{ UUID: '', MaximumRetryAttempts: -1, MaximumRecordAgeInSeconds: -1 }, { MaximumRetryAttempts: -1 }],
  [{ UUID: '', SourceAccessConfigurations: [] }, { SourceAccessConfigurations: [] }]
]
for (const [change, answered] of cleared)
  test(`1.8: Update clears with ${JSON.stringify({ ...change, UUID: undefined })}, and changes nothing else`, async () => {
    await using world = await openControlWorld()
    const made = await createBySdk(world, { ...smk, BatchSize: 7 })
    assert.ok('UUID' in made)
    const { $metadata: _m, ...got } = await world.client.send(
      new UpdateEventSourceMappingCommand({ ...change, UUID: String(made.UUID) })
    )
    for (const [name, value] of Object.entries(answered)) assert.deepEqual((got as Members)[name], value)
    assert.deepEqual([got.BatchSize, got.SelfManagedKafkaEventSourceConfig], [7, { ConsumerGroupId: made.UUID }])
  })

test('1.8: a window that was set stays; what Create alone takes is ignored; a group is refused even when it is the same', async () => {
  await using world = await openControlWorld()
  for (const [of, config] of [
    [smk, own],
    [msk, 'amazonManagedKafkaEventSourceConfig']
  ] as const) {
    const made = await createRaw(world, { ...of, MaximumBatchingWindowInSeconds: 5 })
    const put = async (body: Members) =>
      signedFetch(world.server.url, 'PUT', `${collection}/${String(made.body['UUID'])}`, { body: JSON.stringify(body) })
    const same = (await (
      await put({ Topics: ['other'], StartingPosition: 'LATEST', Tags: { a: '' } })
    ).json()) as Members
    assert.deepEqual(
      [same['Topics'], same['StartingPosition'], same['MaximumBatchingWindowInSeconds']],
      [['topic'], 'TRIM_HORIZON', 5]
    )
    const name = config.charAt(0).toUpperCase() + config.slice(1)
    const refused = await put({ [name]: { ConsumerGroupId: made.body['UUID'] } })
    assert.deepEqual(await refused.json(), {
      Type: 'User',
      message: `Unsupported '${config}.consumerGroupId' parameter for given event source mapping type`
    })
  }
})

test('1.9: conflicts are exactly those of the same function and topic with a server in common', async () => {
  const first = { ...smk, SelfManagedEventSource: servers('kafka:1000', 'kafka:2000') }
  const sources = [
    ['the same', servers('kafka:1000', 'kafka:2000'), true],
    ['an overlapping', servers('KAFKA:2000', 'kafka:3000'), true],
    ['another', servers('kafka:3000'), false]
  ] as const
  for (const [what, SelfManagedEventSource, isCommon] of sources)
    for (const topic of ['topic', 'other'])
      for (const fn of ['f', 'g', 'f:1']) {
        await using world = await openControlWorld()
        await createRaw(world, first)
        const second = await createRaw(world, { SelfManagedEventSource, Topics: [topic], FunctionName: fn })
        const wanted = isCommon && topic === 'topic' && fn === 'f' ? 409 : 202
        assert.equal(second.status, wanted, `${what} source, topic ${topic}, function ${fn}`)
      }
})

test('1.9: for MSK the cluster is the source', async () => {
  await using world = await openControlWorld()
  const { body } = await createRaw(world, msk)
  const again = await createRaw(world, msk)
  assert.deepEqual([again.status, again.type], [409, 'ResourceConflictException'])
  assert.equal(
    again.body['message'],
    `An event source mapping with event source ("${mskArn}"), function ("${functionArn('f')}"), topics ("topic") already exists. Please update or delete the existing mapping with UUID ${String(body['UUID'])}`
  )
  assert.equal((await createRaw(world, { ...msk, Topics: ['other'] })).status, 202)
  // The same cluster by its brokers is not known to be the same.
  assert.equal((await createRaw(world, smk)).status, 202)
})

test('1.9: of twenty equal Creates at once one is taken', async () => {
  await using world = await openControlWorld()
  const answers = await Promise.all(Array.from({ length: 20 }, () => createRaw(world, smk)))
  const statuses = answers.map(answer => answer.status).toSorted((x, y) => x - y)
  assert.deepEqual(statuses, [202, ...Array.from({ length: 19 }, () => 409)])
})

test('1.9: a deleted mapping stands in the way until it has gone', async () => {
  await using world = await openControlWorld()
  const { body } = await createRaw(world, smk)
  await signedFetch(world.server.url, 'DELETE', `${collection}/${String(body['UUID'])}`)
  assert.equal((await createRaw(world, smk)).status, 409)
  const mapping = await world.store.get(String(body['UUID']))
  await world.store.remove(String(body['UUID']), mapping?.version ?? 0, { who: 'fleet', operation: 'Removal', atMs: 0 })
  assert.equal((await createRaw(world, smk)).status, 202)
})

test('1.7: pages are of 1 to 100 whatever is asked for, within the limits of the model', async () => {
  await using world = await openControlWorld({ functions: aCatalog(aFunction('f')) })
  for (let n = 0; n < 3; n++) await createRaw(world, { ...smk, Topics: [`topic-${n}`] })
  const list = async (query: ListEventSourceMappingsCommand['input']) =>
    world.client.send(new ListEventSourceMappingsCommand(query))
  const first = await list({ MaxItems: 2 })
  assert.equal(first.EventSourceMappings?.length, 2)
  assert.equal((await list({ MaxItems: 2, Marker: first.NextMarker })).NextMarker, undefined)
  await assert.rejects(list({ MaxItems: 0 }), { message: broken('0', 'maxItems', atLeast(1)).message })
  await assert.rejects(list({ MaxItems: 10_001 }), { message: broken('10001', 'maxItems', atMost(10_000)).message })
  await assert.rejects(list({ Marker: 'x' }), { name: 'InvalidParameterValueException' })
})

test('1.11: tags are merged and taken off; what is malformed is refused in AWS’s words', async () => {
  await using world = await openControlWorld()
  const { body } = await createRaw(world, smk)
  const Resource = String(body['EventSourceMappingArn'])
  const path = `/2017-03-31/tags/${encodeURIComponent(Resource)}`
  const raw = async (method: string, at: string, sent?: Members) => {
    const response = await signedFetch(
      world.server.url,
      method,
      at,
      sent === undefined ? {} : { body: JSON.stringify(sent) }
    )
    return [response.status, await response.text()]
  }
  assert.deepEqual(await raw('POST', path, { Tags: { a: '1', b: '2' } }), [204, ''])
  assert.deepEqual(await raw('POST', `${path}/`, { Tags: { b: '3' } }), [204, ''])
  // Some clients send the colons of the ARN as they are.
  assert.deepEqual(await raw('GET', `/2017-03-31/tags/${Resource}`), [200, '{"Tags":{"a":"1","b":"3"}}'])
  assert.deepEqual(await raw('DELETE', `${path}?tagKeys=a&tagKeys=never`), [204, ''])
  assert.deepEqual(await raw('GET', path), [200, '{"Tags":{"b":"3"}}'])
  const message =
    "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null"
  assert.deepEqual(await raw('DELETE', path), [400, JSON.stringify({ message })])
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`k${n}`, '']))
  await assert.rejects(world.client.send(new TagResourceCommand({ Resource, Tags: many })), {
    message: 'Number of tags exceeds resource tag limit.'
  })
  await assert.rejects(world.client.send(new UntagResourceCommand({ Resource: 'arn', TagKeys: ['a'] })), {
    name: 'ValidationException'
  })
})
