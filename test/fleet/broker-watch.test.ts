import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeProblem } from '../../src/core/mapping/processing-result.ts'
import { BrokerWatch } from '../../src/fleet/broker-watch.ts'
import type { ClusterAddress } from '../../src/ports/consumer.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'

const unreachable = describeProblem({ kind: 'connection', message: 'b-1: ECONNREFUSED' }).text
const unresolvable = describeProblem({ kind: 'unresolvable', message: 'b-1: ENOTFOUND' }).text

function setup() {
  const clock = new FakeClock()
  const world = {
    asked: 0,
    gone: 0,
    moved: 0,
    until: undefined as Promise<undefined> | undefined,
    answer: { bootstrapServers: ['b-1:9098'] } as ClusterAddress | Error
  }
  const watch = new BrokerWatch({
    clock,
    wish: { source: { kind: 'msk', arn: 'arn' }, tags: {} },
    address: { bootstrapServers: ['b-1:9098'] },
    clusters: {
      async address() {
        world.asked++
        await world.until
        if (world.answer instanceof Error) throw world.answer
        return world.answer
      },
      gone: () => world.gone++
    },
    onMoved: () => world.moved++
  })
  return { clock, world, watch }
}

test('brokers that have moved are found while none of the old ones is reached', async () => {
  const { clock, world, watch } = setup()
  watch.told(unreachable)
  await clock.advance(10_000)
  assert.deepEqual([world.gone, world.asked, world.moved], [1, 1, 0])
  world.answer = { bootstrapServers: ['b-7:9098'] }
  await clock.advance(20_000)
  assert.equal(world.moved, 1)
  await clock.advance(600_000)
  assert.equal(world.asked, 2)
})

test('nobody is asked while brokers answer, whatever else is wrong', async () => {
  const { clock, world, watch } = setup()
  for (const text of ['OK', describeProblem({ kind: 'authentication', message: '' }).text, unresolvable, 'OK'])
    watch.told(text)
  await clock.advance(600_000)
  assert.equal(world.asked, 0)
})

test('while it lasts it asks once a minute, also when the question fails', async () => {
  const { clock, world, watch } = setup()
  world.answer = new Error('throttled')
  watch.told(unreachable)
  watch.told(unresolvable)
  await clock.advance(600_000)
  assert.ok(world.asked >= 10 && world.asked <= 12, `asked ${world.asked} times in ten minutes`)
  assert.equal(world.moved, 0)
  watch.stop()
  assert.equal(clock.waiting, 0)
})

test('an answer after the stop moves nothing', async () => {
  const { clock, world, watch } = setup()
  const { promise, resolve } = Promise.withResolvers<undefined>()
  world.until = promise
  world.answer = { bootstrapServers: ['b-7:9098'] }
  watch.told(unreachable)
  await clock.advance(10_000)
  watch.stop()
  resolve(undefined)
  await settled()
  assert.deepEqual([world.asked, world.moved], [1, 0])
})
