import {
  CreateEventSourceMappingCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateEventSourceMappingCommand
} from '@aws-sdk/client-lambda'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ClusterFinder } from '../../src/adapters/clusters/cluster-finder.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { accountId, aCatalog, aFunction, mskArn, openControlWorld, region } from './control-world.ts'
import type { ControlWorld } from './control-world.ts'

const secret = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:s'
const busy = `${mskArn}9`
const role = 'arn:aws:iam::000000000000:role/kafka'

/** A world where the cluster `mskArn` takes plaintext, and MSK is not there to be asked for any other. */
function open(): Promise<ControlWorld> {
  const clusters = new ClusterFinder({
    clusters: { [mskArn]: { plaintext: ['127.0.0.1:9092'] } },
    secrets: {},
    msk: {
      offer: arn =>
        Promise.reject(new MillraceError('MILL_AWS_UNREACHABLE', ['MSK', `the cluster ${arn}`, 'ECONNREFUSED'])),
      forget: () => undefined
    },
    rules: { allowSaslPlaintext: false }
  })
  return openControlWorld({ clusters })
}

async function create(
  { client }: ControlWorld,
  more: Partial<ConstructorParameters<typeof CreateEventSourceMappingCommand>[0]>
) {
  const source =
    more.EventSourceArn === undefined
      ? { SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['k:1'] } } }
      : {}
  const made = await client.send(
    new CreateEventSourceMappingCommand({
      FunctionName: 'f',
      Topics: ['orders'],
      StartingPosition: 'TRIM_HORIZON',
      ...source,
      ...more
    })
  )
  const uuid = made.UUID ?? ''
  return { uuid, arn: `arn:aws:lambda:${region}:${accountId}:event-source-mapping:${uuid}` }
}
const access = (Type: 'BASIC_AUTH' | 'SASL_SCRAM_512_AUTH') => [{ Type, URI: secret }]

describe('a cluster that cannot be reached as it is asked for', () => {
  test('is refused on Create and changes nothing', async () => {
    await using world = await open()
    await assert.rejects(
      create(world, { EventSourceArn: mskArn, SourceAccessConfigurations: access('SASL_SCRAM_512_AUTH') }),
      {
        name: 'InvalidParameterValueException',
        message: `Cluster ${mskArn} has no brokers for SASL/SCRAM in its VPC: turn it on.`
      }
    )
    await assert.rejects(create(world, { Tags: { 'millrace:oidc-token-endpoint': 'https://login/token' } }), {
      message: /needs BASIC_AUTH with a secret that holds clientId/
    })
    assert.equal((await world.store.list({}, 10)).mappings.length, 0)
  })

  test('is refused on Update, and the mapping stays as it was', async () => {
    await using world = await open()
    const { uuid } = await create(world, { EventSourceArn: mskArn })
    const before = await world.store.get(uuid)
    await assert.rejects(
      world.client.send(
        new UpdateEventSourceMappingCommand({ UUID: uuid, SourceAccessConfigurations: access('SASL_SCRAM_512_AUTH') })
      ),
      { message: /has no brokers for SASL\/SCRAM/ }
    )
    assert.deepEqual(await world.store.get(uuid), before)
  })

  test('is accepted when it only cannot be asked at the moment, and that is logged', async () => {
    await using world = await open()
    const { uuid } = await create(world, { EventSourceArn: busy })
    assert.equal((await world.store.get(uuid))?.state, 'Creating')
    assert.ok(
      world.log.lines.some(
        ({ level, message }) => level === 'warn' && message.includes('cannot be asked at the moment')
      )
    )
  })
})

describe('tags of ours', () => {
  test('start the poller anew when they come, change and go; other tags do not', async () => {
    await using world = await open()
    const { uuid, arn } = await create(world, { SourceAccessConfigurations: access('BASIC_AUTH') })
    const version = async () => (await world.store.get(uuid))?.specVersion
    const tag = (Tags: Record<string, string>) => world.client.send(new TagResourceCommand({ Resource: arn, Tags }))
    await tag({ team: 'a' })
    assert.equal(await version(), 1)
    await tag({ 'millrace:role-arn': role, team: 'b' })
    assert.equal(await version(), 2)
    await tag({ 'millrace:role-arn': role })
    assert.equal(await version(), 2)
    await world.client.send(new UntagResourceCommand({ Resource: arn, TagKeys: ['millrace:role-arn'] }))
    assert.equal(await version(), 3)
    assert.deepEqual(Object.entries((await world.store.get(uuid))?.spec.tags ?? {}), [['team', 'b']])
  })

  const refusals: [tags: Record<string, string>, message: RegExp][] = [
    [{ 'millrace:role-arn': 'kafka' }, /^The tag millrace:role-arn must be the ARN of an IAM role .*, got "kafka"\.$/],
    [{ 'millrace:external-id': 'a b' }, /^The tag millrace:external-id must be/],
    [
      { 'millrace:oidc-token-endpoint': 'https://u:p@login/token' },
      /without user and password, got "https:\/\/\*\*\*@login\/token"/
    ],
    [{ 'millrace:sasl-plaintext': 'yes' }, /must be on or off/],
    [{ 'millrace:iam-mechanism': 'PLAIN' }, /must be OAUTHBEARER or AWS_MSK_IAM/],
    [{ 'millrace:sasl-plaintext': 'on' }, /needs allowSaslPlaintext: true/],
    [{ 'millrace:external-id': 'id' }, /needs the tag millrace:role-arn/],
    [{ 'millrace:colour': 'red' }, /does not support the tag millrace:colour yet/]
  ]
  for (const [tags, message] of refusals)
    test(`are refused on Create and TagResource: ${JSON.stringify(tags)}`, async () => {
      await using world = await open()
      await assert.rejects(create(world, { Tags: tags, SourceAccessConfigurations: access('BASIC_AUTH') }), { message })
      const { uuid, arn } = await create(world, { SourceAccessConfigurations: access('BASIC_AUTH') })
      await assert.rejects(world.client.send(new TagResourceCommand({ Resource: arn, Tags: tags })), { message })
      assert.deepEqual(Object.keys((await world.store.get(uuid))?.spec.tags ?? {}), [])
    })
})

test('the function is looked at in the role of the mapping that is to call it', async () => {
  const asked: unknown[] = []
  const inspect = async (qualifier?: string, role?: unknown) => {
    asked.push([qualifier, role])
    return {}
  }
  await using world = await openControlWorld({ functions: aCatalog({ ...aFunction('f'), inspect }) })
  const tags = { 'millrace:role-arn': role, 'millrace:external-id': 'their-id' }
  const { uuid } = await create(world, { Tags: tags })
  await world.client.send(new UpdateEventSourceMappingCommand({ UUID: uuid, FunctionName: 'f:live' }))
  const whose = { roleArn: role, externalId: 'their-id' }
  assert.deepEqual(asked, [
    [undefined, whose],
    ['live', whose]
  ])
})
