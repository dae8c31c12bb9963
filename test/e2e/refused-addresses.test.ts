import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mappingWhen } from '../support/mapping-api.ts'
import { EmbeddedWorld } from './embedded-world.ts'

test('brokers in a refused range are not connected to, and the mapping says which range', async t => {
  const world = await EmbeddedWorld.open(t)
  const topic = await world.topic('orders', 1)
  const millrace = await world.serve({ config: { refusedAddresses: ['127.0.0.0/8'] } })
  const uuid = await world.map(millrace, topic.name)
  const { LastProcessingResult } = await mappingWhen(
    await world.api(millrace),
    uuid,
    'it says that the address is refused',
    mapping => mapping.LastProcessingResult?.includes('must not be reached') === true
  )
  assert.match(
    LastProcessingResult ?? '',
    /^PROBLEM: Connection error\. .* Details: TCP 127\.0\.0\.1:\d+: address 127\.0\.0\.1 must not be reached: it lies in the refused range 127\.0\.0\.0\/8$/
  )
})
