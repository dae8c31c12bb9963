import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { CallPermits } from '../../../src/adapters/invoker/call-permits.ts'
import type { InvokeReply } from '../../../src/core/retry/reply.ts'
import { FakeClock, settled } from '../../support/fake-clock.ts'

const done: InvokeReply = { kind: 'returned', payload: new Uint8Array() }
const { signal } = new AbortController()

function setup(most: number) {
  const clock = new FakeClock()
  const memory = CallPermits.memory(most)
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const start = (name: string, by = signal, permits = new CallPermits(memory, clock)) =>
    permits.within(1_000, by, () => {
      begun.push(name)
      return new Promise(resolve => ends.set(name, () => resolve(done)))
    })
  const end = (name: string) => ends.get(name)?.()
  return { clock, memory, begun, start, end }
}

test('calls beyond the limit wait until one has ended, also of another holder of the same memory', async () => {
  const { begun, start, end } = setup(2)
  const calls = ['a', 'b', 'c'].map(name => start(name))
  await settled()
  assert.deepEqual(begun, ['a', 'b'])
  end('a')
  await calls[0]
  while (begun.length < 3) await settled()
  end('b')
  end('c')
  assert.deepEqual(await Promise.all(calls), [done, done, done])
})

test('a call that is aborted while it waits takes no permit, and wakes whoever waits behind it', async () => {
  const { begun, start, end } = setup(1)
  const first = start('a')
  const cut = new AbortController()
  const second = start('b', cut.signal)
  const third = start('c')
  await settled()
  cut.abort()
  assert.deepEqual(await second, { kind: 'aborted' })
  end('a')
  await first
  while (begun.length < 2) await settled()
  assert.deepEqual(begun, ['a', 'c'])
  end('c')
  await third
})

test('a call that throws gives its permit back', async () => {
  const { memory, clock, start, end, begun } = setup(1)
  const permits = new CallPermits(memory, clock)
  await assert.rejects(
    permits.within(1_000, signal, () => Promise.reject(new Error('boom'))),
    /boom/
  )
  const next = start('a')
  await settled()
  assert.deepEqual(begun, ['a'])
  end('a')
  await next
})

test('a thread that dies in the middle of a call keeps its permit no longer than the call could last', async () => {
  const { memory, clock, begun, start, end } = setup(1)
  const source = `
    import { workerData, parentPort } from 'node:worker_threads'
    const { CallPermits } = await import(workerData.module)
    const permits = new CallPermits(workerData.memory, { now: () => workerData.now })
    void permits.within(1_000, new AbortController().signal, () => (parentPort.postMessage('has it'), new Promise(() => {})))`
  const module = new URL('../../../src/adapters/invoker/call-permits.ts', import.meta.url).href
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: { memory, module, now: clock.now() }
  })
  await once(worker, 'message')
  await worker.terminate()
  const cut = new AbortController()
  const waiting = start('a', cut.signal)
  await settled()
  assert.deepEqual(begun, [])
  cut.abort()
  await waiting
  await clock.advance(6_000)
  const next = start('b')
  await settled()
  assert.deepEqual(begun, ['b'])
  end('b')
  await next
})
