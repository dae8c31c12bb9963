import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { returned, type Answer } from '../support/http-function.ts'
import { inState, type MappingApi } from '../support/mapping-api.ts'
import { eventually } from '../support/poll.ts'
import { EmbeddedWorld } from './embedded-world.ts'

// Changes of a mapping that works: what is in flight is finished, nothing comes again, and it goes quickly.

/** An Update is applied within this. */
const appliedMs = 5_000

/** Calls that stay open until they are let go, all at once. */
class Gate {
  #opened = Promise.withResolvers<void>()
  #closed = true

  readonly script = async (): Promise<Answer> => {
    if (this.#closed) await this.#opened.promise
    return returned
  }

  open(): void {
    this.#closed = false
    this.#opened.resolve()
  }

  close(): void {
    this.#closed = true
    this.#opened = Promise.withResolvers<void>()
  }
}

async function setup(world: EmbeddedWorld) {
  const topic = await world.topic('orders', 4)
  const gate = new Gate()
  world.function.script = gate.script
  const millrace = await world.serve({ config: { functions: { other: { http: world.function.url } } } })
  const uuid = await world.map(millrace, topic.name, { BatchSize: 5, MaximumBatchingWindowInSeconds: 0 })
  const api = await world.api(millrace)
  await inState(api, uuid, 'Enabled')
  /** Writes, and resolves when calls with it are in flight. */
  const busy = async (): Promise<void> => {
    gate.close()
    const began = new Promise(resolve => void world.function.once('began', resolve))
    await topic.write(25)
    await began
  }
  return { topic, gate, api, uuid, busy }
}

/** From the answer of the Update until the mapping works by it. */
async function applied(api: MappingApi, uuid: string, since: number): Promise<void> {
  await inState(api, uuid, 'Enabled')
  const tookMs = performance.now() - since
  assert.ok(tookMs < appliedMs, `applied after ${Math.round(tookMs)} ms`)
}

suite('a change of a mapping at work', () => {
  test('is answered at once, applied within 5 seconds, and delivers nothing twice', async t => {
    const world = await EmbeddedWorld.open(t)
    const { topic, gate, api, uuid, busy } = await setup(world)
    const changes = [{ BatchSize: 3 }, { FunctionName: 'other' }, { ParallelizationFactor: 2, BatchSize: 50 }]
    for (const change of changes) {
      await busy()
      const asked = performance.now()
      assert.equal((await api.update({ UUID: uuid, ...change })).State, 'Updating')
      assert.ok(performance.now() - asked < 1_000)
      gate.open()
      await applied(api, uuid, asked)
    }
    await world.succeeded(topic.total)
    assert.equal(world.audit.repeats, 0)
    world.assertSound(topic)
  })

  test('finishes what is in flight before it is disabled; a change in the middle is queued', async t => {
    const world = await EmbeddedWorld.open(t)
    const { topic, gate, api, uuid, busy } = await setup(world)
    await busy()
    assert.equal((await api.update({ UUID: uuid, Enabled: false })).State, 'Disabling')
    const running = world.function.running
    assert.ok(running > 0)
    assert.equal((await api.update({ UUID: uuid, BatchSize: 7 })).State, 'Updating')
    assert.equal((await api.get(uuid)).State, 'Updating')
    gate.open()
    assert.equal((await inState(api, uuid, 'Disabled')).BatchSize, 7)
    const done = world.audit.succeeded
    assert.ok(done > 0 && world.function.calls.every(call => call.state === 'returned'))
    const committed = await world.kafka.committed(uuid, topic.name)
    assert.equal(
      [...committed.values()].reduce((sum, offset) => sum + offset, 0),
      done
    )
    await api.update({ UUID: uuid, Enabled: true })
    await world.succeeded(topic.total)
    assert.equal(world.audit.repeats, 0)
    world.assertSound(topic)
  })

  test('is deleted after what is in flight; its group and what it committed stay', async t => {
    const world = await EmbeddedWorld.open(t)
    const { topic, gate, api, uuid, busy } = await setup(world)
    await busy()
    assert.equal((await api.delete(uuid)).State, 'Deleting')
    await assert.rejects(api.update({ UUID: uuid, BatchSize: 7 }), { code: 'ResourceInUseException' })
    assert.equal((await api.get(uuid)).State, 'Deleting')
    gate.open()
    const isGone = () =>
      api.get(uuid).then(
        () => false,
        (error: { code: string }) => error.code === 'ResourceNotFoundException'
      )
    await eventually(isGone, { describe: 'the mapping is gone' })
    assert.ok(world.function.calls.every(call => call.state === 'returned'))
    const committed = await world.kafka.committed(uuid, topic.name)
    assert.equal(
      [...committed.values()].reduce((sum, offset) => sum + offset, 0),
      world.audit.succeeded
    )
    assert.deepEqual(world.audit.violations, [])
  })
})
