import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { TopicAdmin } from '../../../src/adapters/kafka/topic-admin.ts'
import { silentLog } from '../../../src/adapters/log/silent.ts'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'

async function setup() {
  const broker = new EmbeddedBroker({ defaultPartitions: 2 })
  await broker.start()
  const admin = new TopicAdmin(
    { cluster: { bootstrapServers: [broker.bootstrap] }, clientId: 'test' },
    { clock: systemClock, log: silentLog }
  )
  return {
    broker,
    admin,
    async [Symbol.asyncDispose]() {
      await admin.close()
      await broker.stop()
    }
  }
}

test('topics that are missing are made, with the partitions that are asked for or the broker’s own, and told', async () => {
  await using world = await setup()
  world.broker.createTopic('old', { partitions: 1 })
  const made = await world.admin.ensure([
    { name: 'old', partitions: 9 },
    { name: 'new', partitions: 4 },
    { name: 'usual' }
  ])
  assert.deepEqual(made, ['new', 'usual'])
  assert.deepEqual(await world.admin.ensure([{ name: 'new' }]), [])
  const ends = await world.admin.ends(['old', 'new', 'usual'])
  assert.deepEqual(
    ['old', 'new', 'usual'].map(name => ends.get(name)?.size),
    [1, 4, 2]
  )
})

test('the ends of partitions are one past their last record; a topic that is not there is left out', async () => {
  await using world = await setup()
  world.broker.createTopic('orders', { partitions: 2 })
  world.broker.append('orders', 1, [{ value: 'a' }, { value: 'b' }])
  const ends = await world.admin.ends(['orders', 'absent'])
  const orders = ends.get('orders')
  assert.deepEqual([ends.size, orders?.get(0), orders?.get(1)], [1, 0, 2])
})

test('what a broker refuses is told with its reason, and so is one that does not answer', async () => {
  await using world = await setup()
  await assert.rejects(world.admin.ensure([{ name: 'a/b' }]), /a\/b/)
  await world.broker.stop()
  await assert.rejects(world.admin.ensure([{ name: 'orders' }]))
})
