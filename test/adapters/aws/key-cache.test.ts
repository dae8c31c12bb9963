import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyCache, type FoundKeys } from '../../../src/adapters/aws/key-cache.ts'
import { FakeClock, settled } from '../../support/fake-clock.ts'
import { RecordingLog } from '../../support/recording-log.ts'

const minuteMs = 60_000

function setup({ lifeMs }: { lifeMs?: number } = {}) {
  const clock = new FakeClock()
  const log = new RecordingLog()
  const asked: number[] = []
  const world = { fails: false }
  const find = async (): Promise<FoundKeys> => {
    asked.push(clock.now())
    if (world.fails) throw new Error('nobody answers')
    return {
      accessKeyId: `key${asked.length}`,
      secretAccessKey: 's',
      ...(lifeMs === undefined ? {} : { expiration: new Date(clock.now() + lifeMs) })
    }
  }
  return { clock, log, asked, world, cache: new KeyCache(find, clock, log) }
}

test('calls at the same time ask once, and later ones get what is there without waiting', async () => {
  const { cache, asked } = setup()
  const both = await Promise.all([cache.current(), cache.current()])
  assert.deepEqual(
    both.map(({ accessKeyId }) => accessKeyId),
    ['key1', 'key1']
  )
  assert.ok(!(cache.current() instanceof Promise))
  assert.equal(asked.length, 1)
})

test('they are renewed in the background five minutes before they run out', async () => {
  const { cache, asked, clock } = setup({ lifeMs: 60 * minuteMs })
  await cache.current()
  await clock.advance(47 * minuteMs)
  assert.equal((await cache.current()).accessKeyId, 'key1')
  assert.equal(asked.length, 1)
  await clock.advance(9 * minuteMs)
  const kept = cache.current()
  assert.ok(!(kept instanceof Promise) && kept.accessKeyId === 'key1', 'the call does not wait for the new ones')
  await settled()
  assert.equal((await cache.current()).accessKeyId, 'key2')
})

test('while nobody has new ones the old are used to their end, told of, and asked for once a second', async () => {
  const { cache, asked, clock, world, log } = setup({ lifeMs: 10 * minuteMs })
  await cache.current()
  world.fails = true
  await clock.advance(9 * minuteMs)
  for (let call = 0; call < 5; call++) {
    assert.equal((await cache.current()).accessKeyId, 'key1')
    await settled()
  }
  assert.equal(asked.length, 2)
  assert.equal(log.lines.filter(({ level }) => level === 'warn').length, 1)
  await clock.advance(minuteMs)
  await assert.rejects(async () => cache.current(), /nobody answers/)
  world.fails = false
  assert.equal((await cache.current()).accessKeyId, `key${asked.length}`)
})

test('those that never run out are looked at again after a while', async () => {
  const { cache, clock } = setup()
  await cache.current()
  await clock.advance(16 * minuteMs)
  await cache.current()
  await settled()
  assert.equal((await cache.current()).accessKeyId, 'key2')
})

test('refused ones are not used again, but a refusal of older ones says nothing of these', async () => {
  const { cache } = setup()
  const first = await cache.current()
  cache.refused(first)
  const second = await cache.current()
  assert.equal(second.accessKeyId, 'key2')
  cache.refused(first)
  assert.equal((await cache.current()).accessKeyId, 'key2')
})

test('who needs them for minutes waits for new ones, who signs one request does not', async () => {
  const { cache, asked, clock } = setup({ lifeMs: 60 * minuteMs })
  await cache.lasting()
  await clock.advance(54 * minuteMs)
  assert.equal((await cache.lasting()).accessKeyId, 'key1')
  await clock.advance(2 * minuteMs)
  const [request, token] = [cache.current(), cache.lasting()]
  assert.ok(!(request instanceof Promise) && request.accessKeyId === 'key1')
  assert.equal((await token).accessKeyId, 'key2')
  assert.equal(asked.length, 2)
})

test('for minutes those that do not say when they end are found each time, once for all who ask then', async () => {
  const { cache, clock } = setup()
  const [first, same] = await Promise.all([cache.lasting(), cache.lasting()])
  assert.equal(first, same)
  assert.equal((await cache.lasting()).accessKeyId, 'key2')
  assert.deepEqual(first.expiration, new Date(clock.now() + 10 * minuteMs))
})
