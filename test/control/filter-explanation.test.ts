import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CreateEventSourceMappingCommand, TagResourceCommand } from '@aws-sdk/client-lambda'
import type { FilterExplanation } from '../../src/control/shapes.ts'
import { FilterRefusals } from '../../src/fleet/filter-refusals.ts'
import { openControlWorld } from './control-world.ts'
import { signedFetch } from './signed-fetch.ts'

const filters = ['{"value":{"a":[1]}}', '{"value":{"b":[2],"c":[3]}}']
const create = new CreateEventSourceMappingCommand({
  FunctionName: 'f',
  SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:1000'] } },
  Topics: ['topic'],
  FilterCriteria: { Filters: filters.map(Pattern => ({ Pattern })) }
})

async function setup() {
  const refusals = new FilterRefusals()
  const world = await openControlWorld({ refusals })
  const { UUID = '', EventSourceMappingArn: Resource } = await world.client.send(create)
  const ask = async (uuid = UUID) => {
    const path = `/millrace/v1/event-source-mappings/${uuid}/filter-explain`
    const response = await signedFetch(world.server.url, 'GET', path, { accessKeyId: 'reader' })
    return { status: response.status, body: (await response.json()) as FilterExplanation }
  }
  return { world, refusals, UUID, Resource, ask }
}

test('an explanation tells how often each condition refused a record that was looked at', async () => {
  const { world, refusals, UUID, Resource, ask } = await setup()
  await using _ = world
  assert.deepEqual(await ask(), {
    status: 200,
    body: {
      UUID,
      Enabled: false,
      SampledEvery: 100,
      SampledEventCount: 0,
      Filters: filters.map(Pattern => ({ Pattern, RefusedBy: [] }))
    }
  })
  await world.client.send(new TagResourceCommand({ Resource, Tags: { 'millrace:filter-explain': 'on' } }))
  const by = [
    { pattern: 0, condition: 'value.a', records: 4 },
    { pattern: 1, condition: 'value.c', records: 3 },
    { pattern: 1, condition: 'value.b', records: 1 }
  ]
  refusals.add(UUID, filters, { records: 4, by }, 1_700_000_000_500)
  assert.deepEqual((await ask(UUID.toUpperCase())).body, {
    UUID,
    Enabled: true,
    SampledEvery: 100,
    SampledEventCount: 4,
    Since: 1_700_000_000.5,
    Filters: [
      { Pattern: filters[0], RefusedBy: [{ Condition: 'value.a', SampledEventCount: 4 }] },
      {
        Pattern: filters[1],
        RefusedBy: [
          { Condition: 'value.c', SampledEventCount: 3 },
          { Condition: 'value.b', SampledEventCount: 1 }
        ]
      }
    ]
  })
})

test('a mapping that does not exist has none', async () => {
  const { world, ask } = await setup()
  await using _ = world
  assert.equal((await ask('00000000-0000-0000-0000-000000000000')).status, 404)
})

test('the tag is on or off', async () => {
  const { world, Resource } = await setup()
  await using _ = world
  const tag = new TagResourceCommand({ Resource, Tags: { 'millrace:filter-explain': 'yes' } })
  await assert.rejects(world.client.send(tag), /The tag millrace:filter-explain must be on or off, got "yes"\./)
})
