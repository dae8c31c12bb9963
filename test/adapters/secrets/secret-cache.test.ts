import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SecretCache } from '../../../src/adapters/secrets/secret-cache.ts'
import type { SecretText } from '../../../src/adapters/secrets/secret-text.ts'
import type { SecretReference } from '../../../src/ports/cluster-security.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const reference: SecretReference = { arn: 'arn:secret', from: { kind: 'environment', variable: 'S' } }

function setup() {
  const clock = new FakeClock()
  clock.nextChance = 1
  const world = { text: 'one', reads: 0, failure: undefined as Error | undefined }
  const cache = new SecretCache(async (): Promise<SecretText> => {
    world.reads++
    if (world.failure !== undefined) throw world.failure
    return { text: world.text, name: 'arn:secret' }
  }, clock)
  return { clock, cache, world, get: async () => (await cache.get(reference)).text }
}

test('a secret is read once in five minutes, by however many at a time', async () => {
  const { clock, world, get } = setup()
  assert.deepEqual(await Promise.all([get(), get(), get()]), ['one', 'one', 'one'])
  world.text = 'two'
  await clock.advance(5 * 60_000 - 1)
  assert.equal(await get(), 'one')
  assert.equal(world.reads, 1)
  await clock.advance(1)
  assert.equal(await get(), 'two')
})

test('what a broker refused is read again, and given at once when it has changed', async () => {
  const { cache, world, get } = setup()
  await get()
  world.text = 'two'
  cache.refused(reference)
  assert.equal(await get(), 'two')
  assert.equal(await get(), 'two')
  assert.equal(world.reads, 2)
})

test('what a broker refused and is still the same is held back, longer each time, up to four seconds', async () => {
  const { clock, cache, get } = setup()
  await get()
  const waits: number[] = []
  for (let round = 0; round < 6; round++) {
    cache.refused(reference)
    const started = clock.monotonicMs()
    const { promise: got, resolve } = Promise.withResolvers<number>()
    void get().then(() => resolve(clock.monotonicMs() - started))
    for (let ms = 0; ms < 5_000; ms += 100) await clock.advance(100)
    waits.push(await got)
  }
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 4_000, 4_000])
})

test('connections that are refused together count as one refusal', async () => {
  const { clock, cache, get } = setup()
  await get()
  for (let n = 0; n < 20; n++) cache.refused(reference)
  let got = false
  void get().then(() => (got = true))
  await clock.advance(499)
  assert.equal(got, false)
  await clock.advance(1)
  assert.equal(got, true)
})

test('a secret that changes while it is held back is given at once to who asks next', async () => {
  const { clock, cache, world, get } = setup()
  await get()
  cache.refused(reference)
  const held = get()
  await clock.advance(100)
  world.text = 'two'
  assert.equal(await get(), 'two')
  await clock.advance(400)
  assert.equal(await held, 'two')
})

test('a refusal long after the last one begins anew', async () => {
  const { clock, cache, get } = setup()
  await get()
  for (let round = 0; round < 3; round++) {
    cache.refused(reference)
    await clock.advance(5_000)
  }
  await clock.advance(60_000)
  cache.refused(reference)
  let got = false
  void get().then(() => (got = true))
  await clock.advance(500)
  assert.equal(got, true)
})

test('a read that failed is not repeated before a while, and not kept waiting long after the cure', async () => {
  const { clock, world, get } = setup()
  world.failure = new Error('no such secret')
  for (let n = 0; n < 10; n++) await assert.rejects(get(), /no such secret/)
  assert.equal(world.reads, 1)
  for (let ms = 0; ms < 60_000; ms += 500) {
    await clock.advance(500)
    await get().catch(() => undefined)
  }
  assert.ok(world.reads <= 18, `${world.reads} reads in a minute`)
  world.failure = undefined
  await clock.advance(4_000)
  assert.equal(await get(), 'one')
})

test('secrets do not hold each other up', async () => {
  const { clock, cache, get } = setup()
  await get()
  cache.refused(reference)
  const other: SecretReference = { ...reference, arn: 'arn:other' }
  assert.equal((await cache.get(other)).text, 'one')
  assert.equal(clock.waiting, 0)
})
