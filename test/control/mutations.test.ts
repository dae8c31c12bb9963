import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anyCredentials } from '../../src/control/authenticator.ts'
import { fieldNames } from '../../src/core/mapping/fields.ts'
import { mskArn, openControlWorld } from './control-world.ts'
import type { ControlWorld } from './control-world.ts'

// Whatever is done to a valid request, the answer is a success that reads back equal, or an error of AWS's form.

type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
type Body = { [name: string]: Json }

const collection = '/2015-03-31/event-source-mappings'
const selfManaged: Body = {
  FunctionName: 'f',
  SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:1000', 'kafka:2000'] } },
  Topics: ['topic'],
  SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'group' },
  SourceAccessConfigurations: [
    { Type: 'VPC_SUBNET', URI: 'subnet:subnet-1' },
    { Type: 'VPC_SECURITY_GROUP', URI: 'security_group:sg-1' }
  ],
  BatchSize: 7,
  Tags: { team: 'a' },
  MaximumRetryAttempts: -1,
  FilterCriteria: { Filters: [] }
}
const msk: Body = {
  FunctionName: 'f:1',
  EventSourceArn: mskArn,
  Topics: ['topic'],
  StartingPosition: 'AT_TIMESTAMP',
  StartingPositionTimestamp: 1_700_000_000.5,
  MaximumBatchingWindowInSeconds: 3,
  ParallelizationFactor: 2,
  AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'group' },
  Enabled: false,
  FunctionResponseTypes: [],
  DestinationConfig: { OnFailure: {} }
}
const change: Body = {
  BatchSize: 9,
  MaximumBatchingWindowInSeconds: 1,
  Enabled: false,
  FunctionName: 'g:2',
  MaximumRetryAttempts: -1
}

const interesting = fc.constantFrom<Json>(
  ...([
    null,
    '',
    0,
    -1,
    1,
    1.5,
    10_000,
    10_001,
    1e300,
    true,
    'a',
    'f',
    'g',
    [],
    {},
    [''],
    [{}],
    'LATEST',
    '\u0000'
  ] as Json[]),
  'x'.repeat(300),
  '\ud800',
  '__proto__'
)
const anything = fc.oneof(interesting, fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>)

/** One change to a body: where (walked down as far as it goes), what, and with which value. */
const mutation = fc.record({
  path: fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }),
  kind: fc.constantFrom('replace', 'remove', 'add', 'rename'),
  name: fc.oneof(fc.constantFrom(...fieldNames, 'Type', 'URI', '__proto__'), fc.string({ maxLength: 5 })),
  value: anything
})

function mutate(
  body: Json,
  { path, kind, name, value }: typeof mutation extends fc.Arbitrary<infer M> ? M : never
): Json {
  const [step = 0, ...deeper] = path
  if (Array.isArray(body)) {
    if (kind === 'add' || body.length === 0) return [...body, value]
    const at = step % body.length
    if (deeper.length > 0) return body.with(at, mutate(body[at] ?? null, { path: deeper, kind, name, value }))
    return kind === 'remove' ? body.toSpliced(at, 1) : body.with(at, value)
  }
  if (typeof body !== 'object' || body === null) return value
  const entries = Object.entries(body)
  const at = entries.length === 0 ? 0 : step % entries.length
  const [key = name, inner = null] = entries[at] ?? []
  if (deeper.length > 0 && typeof inner === 'object' && inner !== null)
    return Object.fromEntries(entries.with(at, [key, mutate(inner, { path: deeper, kind, name, value })]))
  if (kind === 'add' || entries.length === 0) return Object.fromEntries([...entries, [name, value]])
  if (kind === 'remove') return Object.fromEntries(entries.toSpliced(at, 1))
  return Object.fromEntries(entries.with(at, kind === 'rename' ? [name, inner] : [key, value]))
}

/** Which members an error of this type has, letter for letter, and its status (reference 1.9). */
const errorForms: Readonly<Record<string, readonly [status: number, members: string]>> = {
  InvalidParameterValueException: [400, 'Type,message'],
  ResourceConflictException: [409, 'Type,message'],
  ValidationException: [400, 'message'],
  SerializationException: [400, 'Message']
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: Readonly<Record<string, unknown>>
}

async function send(world: ControlWorld, method: string, path: string, body?: string | Buffer): Promise<Answer> {
  const response = await fetch(world.server.url + path, { method, ...(body === undefined ? {} : { body }) })
  const type = response.headers.get('x-amzn-errortype') ?? ''
  return { status: response.status, type, body: (await response.json()) as Answer['body'] }
}

/** True for a success. */
function assertForm({ status, type, body }: Answer): boolean {
  if (status === 202) return true
  const [wanted, members] = errorForms[type] ?? []
  assert.deepEqual([status, Object.keys(body).join()], [wanted, members], `${type} ${JSON.stringify(body)}`)
  assert.ok(Object.values(body).every(text => typeof text === 'string' && text !== '' && text.length < 50_000))
  return false
}

/** Members that come back as they were sent; what is left out of an answer as AWS leaves it out is not among them. */
const echoed = [
  'EventSourceArn',
  'SelfManagedEventSource',
  'Topics',
  'StartingPosition',
  'BatchSize',
  'MaximumBatchingWindowInSeconds',
  'ParallelizationFactor',
  'SourceAccessConfigurations',
  'MaximumRetryAttempts',
  'MaximumRecordAgeInSeconds',
  'BisectBatchOnFunctionError',
  'FunctionResponseTypes'
]

/** As far as the API knows them: members that nobody knows are ignored at every depth. */
function covers(sent: unknown, answered: unknown): boolean {
  if (Array.isArray(sent) && Array.isArray(answered))
    return sent.length === answered.length && sent.every((item, at) => covers(item, answered[at]))
  if (typeof sent === 'object' && sent !== null && typeof answered === 'object' && answered !== null)
    return Object.entries(answered).every(([name, value]) => covers((sent as Body)[name], value))
  return sent === answered || JSON.stringify(sent) === JSON.stringify(answered)
}

async function assertReadsBack(
  world: ControlWorld,
  sent: Json,
  answer: Answer,
  ignored: readonly string[]
): Promise<void> {
  const got = await send(world, 'GET', `${collection}/${String(answer.body['UUID'])}`)
  assert.deepEqual(got.body, answer.body)
  const given = sent as Body
  for (const name of echoed)
    if (given[name] !== undefined && given[name] !== null && !ignored.includes(name))
      assert.ok(covers(given[name], answer.body[name]), `${name}: ${JSON.stringify([given[name], answer.body[name]])}`)
}

const createOnly = ['EventSourceArn', 'SelfManagedEventSource', 'Topics', 'StartingPosition']

async function remove(world: ControlWorld, uuid: unknown): Promise<void> {
  const mapping = await world.store.get(String(uuid))
  await world.store.remove(String(uuid), mapping?.version ?? 0, { who: 'fleet', operation: 'Removal', atMs: 0 })
}

test('a Create that was changed at random is taken and reads back equal, or refused in AWS’s form and leaves nothing', async () => {
  await using world = await openControlWorld({ authenticator: anyCredentials() })
  let taken = 0
  const property = fc.asyncProperty(
    fc.constantFrom(selfManaged, msk),
    fc.array(mutation, { minLength: 1, maxLength: 3 }),
    async (base, mutations) => {
      const body = mutations.reduce<Json>(mutate, base)
      const answer = await send(world, 'POST', collection, JSON.stringify(body))
      if (assertForm(answer)) {
        taken += 1
        await assertReadsBack(world, body, answer, [])
        await remove(world, answer.body['UUID'])
      }
      assert.equal((await world.store.list({}, 10)).mappings.length, 0)
    }
  )
  await fc.assert(property, { numRuns: 400 })
  assert.ok(taken > 20, `only ${taken} were taken`)
})

test('an Update that was changed at random is taken and reads back equal, or refused in AWS’s form and changes nothing', async () => {
  await using world = await openControlWorld({ authenticator: anyCredentials() })
  const made = await send(world, 'POST', collection, JSON.stringify(selfManaged))
  const path = `${collection}/${String(made.body['UUID'])}`
  let taken = 0
  const property = fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async mutations => {
    const body = mutations.reduce<Json>(mutate, change)
    const before = await send(world, 'GET', path)
    const answer = await send(world, 'PUT', path, JSON.stringify(body))
    if (assertForm(answer)) {
      taken += 1
      await assertReadsBack(world, body, answer, createOnly)
    } else assert.deepEqual(await send(world, 'GET', path), before)
  })
  await fc.assert(property, { numRuns: 400 })
  assert.ok(taken > 20, `only ${taken} were taken`)
})

test('a Create with bytes changed at random is taken or refused, and never a fault of ours', async () => {
  await using world = await openControlWorld({ authenticator: anyCredentials() })
  const bytes = Buffer.from(JSON.stringify(selfManaged))
  const edit = fc.record({ at: fc.nat(bytes.length - 1), byte: fc.nat(255), drop: fc.boolean() })
  const property = fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async edits => {
    const changed = [...bytes]
    for (const { at, byte, drop } of edits) changed.splice(at, 1, ...(drop ? [] : [byte]))
    const answer = await send(world, 'POST', collection, Buffer.from(changed))
    if (assertForm(answer)) await remove(world, answer.body['UUID'])
    assert.equal((await world.store.list({}, 10)).mappings.length, 0)
  })
  await fc.assert(property, { numRuns: 400 })
  assert.deepEqual(
    world.log.lines.filter(line => line.level === 'error'),
    []
  )
})
