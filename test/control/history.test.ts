import {
  CreateEventSourceMappingCommand,
  DeleteEventSourceMappingCommand,
  TagResourceCommand,
  UpdateEventSourceMappingCommand
} from '@aws-sdk/client-lambda'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MappingHistory } from '../../src/control/shapes.ts'
import { openControlWorld } from './control-world.ts'
import type { ControlWorld } from './control-world.ts'
import { signedFetch } from './signed-fetch.ts'

const route = (uuid: string | undefined): string => `/millrace/v1/event-source-mappings/${uuid}/history`

async function read(world: ControlWorld, path: string): Promise<MappingHistory> {
  const response = await signedFetch(world.server.url, 'GET', path, { accessKeyId: 'reader' })
  assert.equal(response.status, 200)
  return (await response.json()) as MappingHistory
}

const create = new CreateEventSourceMappingCommand({
  FunctionName: 'f',
  SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:1000'] } },
  Topics: ['topic']
})

test('a history tells when, who, by which operation, and what from and to, newest last', async () => {
  await using world = await openControlWorld()
  const { UUID, EventSourceMappingArn: Resource } = await world.client.send(create)
  await world.clientOf('writer').send(new UpdateEventSourceMappingCommand({ UUID, BatchSize: 200, FunctionName: 'g' }))
  await world.client.send(new TagResourceCommand({ Resource, Tags: { team: 'a' } }))
  const { History, NextMarker } = await read(world, route(UUID))
  assert.equal(NextMarker, undefined)
  assert.deepEqual(
    History.map(entry => [entry.Who, entry.Operation]),
    [
      ['writer', 'CreateEventSourceMapping20150331'],
      ['writer', 'UpdateEventSourceMapping20150331'],
      ['writer', 'TagResource20170331v2']
    ]
  )
  assert.ok(History.every(entry => Math.abs(entry.At * 1000 - Date.now()) < 60_000))
  const arn = 'arn:aws:lambda:us-east-1:000000000000:function'
  assert.deepEqual(History[1]?.Changes, [
    { Field: 'FunctionArn', From: `${arn}:f`, To: `${arn}:g` },
    { Field: 'BatchSize', From: 100, To: 200 },
    { Field: 'State', From: 'Creating', To: 'Updating' }
  ])
  assert.deepEqual(History[2]?.Changes, [{ Field: 'Tags', From: {}, To: { team: 'a' } }])
})

test('a history comes in pages, and outlives its mapping', async () => {
  await using world = await openControlWorld()
  const { UUID } = await world.client.send(create)
  await world.client.send(new DeleteEventSourceMappingCommand({ UUID }))
  const mapping = await world.store.get(UUID ?? '')
  await world.store.remove(UUID ?? '', mapping?.version ?? 0, { who: 'fleet', operation: 'Removal', atMs: Date.now() })
  const first = await read(world, `${route(UUID?.toUpperCase())}?MaxItems=2`)
  const second = await read(world, `${route(UUID)}/?Marker=${first.NextMarker}`)
  const operations = [first, second].map(page => page.History.map(entry => entry.Operation))
  assert.deepEqual(operations, [['CreateEventSourceMapping20150331', 'DeleteEventSourceMapping20150331'], ['Removal']])
})

test('a mapping that never was has no history; nor has an unsigned caller', async () => {
  await using world = await openControlWorld()
  const unknown = await signedFetch(world.server.url, 'GET', route('none'))
  assert.equal(unknown.status, 404)
  assert.deepEqual(await unknown.json(), { Type: 'User', Message: 'The resource you requested does not exist.' })
  assert.equal((await fetch(world.server.url + route('none'))).status, 403)
})
