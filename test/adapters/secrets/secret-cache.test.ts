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

test('what a broker refused is read anew until it is another, but twice a second at most', async () => {
  const { clock, cache, world, get } = setup()
  await get()
  for (let ms = 0; ms < 10_000; ms += 100) {
    for (let n = 0; n < 20; n++) cache.refused(reference)
    assert.equal(await get(), 'one')
    await clock.advance(100)
  }
  assert.ok(world.reads <= 21, `${world.reads} reads in ten seconds`)
  world.text = 'two'
  await clock.advance(500)
  assert.equal(await get(), 'two')
  const { reads } = world
  await clock.advance(4 * 60_000)
  assert.equal(await get(), 'two')
  assert.equal(world.reads, reads, 'and then it is kept')
})

test('what was refused a minute ago and not since is believed again: the broker may have come round', async () => {
  const { clock, cache, world, get } = setup()
  await get()
  cache.refused(reference)
  await clock.advance(60_000)
  await get()
  const { reads } = world
  await clock.advance(4 * 60_000)
  await get()
  assert.equal(world.reads, reads)
})

test('what is refused while it is being read may be what was there before, and is read again', async () => {
  const { cache, world, get } = setup()
  const first = get()
  cache.refused(reference)
  await first
  world.text = 'two'
  assert.equal(await get(), 'two')
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
  const { clock, cache, world, get } = setup()
  await get()
  cache.refused(reference)
  const other: SecretReference = { ...reference, arn: 'arn:other' }
  assert.equal((await cache.get(other)).text, 'one')
  await clock.advance(4 * 60_000)
  const { reads } = world
  await cache.get(other)
  assert.equal(world.reads, reads, 'this one was not refused')
})
