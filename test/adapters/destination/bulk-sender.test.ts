import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BulkSender, type Bulk } from '../../../src/adapters/destination/bulk-sender.ts'
import type { FailureMessage } from '../../../src/ports/destination.ts'
import { FakeClock, settled } from '../../support/fake-clock.ts'

const forever = new AbortController().signal
const message = (text: string): FailureMessage => ({ body: Buffer.from(text) })

interface Request {
  readonly texts: string[]
  readonly signal: AbortSignal
  readonly answer: (answers?: readonly (Error | undefined)[]) => void
  readonly fail: (error: Error) => void
}

function setup(limits: Partial<Bulk> = {}) {
  const requests: Request[] = []
  const clock = new FakeClock()
  const send: Bulk['send'] = (messages, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly (Error | undefined)[]>()
    const texts = messages.map(({ body }) => body.toString())
    requests.push({ texts, signal, answer: (answers = texts.map(() => undefined)) => resolve(answers), fail: reject })
    return promise
  }
  const bulk: Bulk = {
    name: 'the bin',
    maxMessages: 3,
    maxBytes: 100,
    inFlight: 1,
    timeLimitMs: 5_000,
    send,
    close: () => undefined,
    ...limits
  }
  const sender = new BulkSender(bulk, clock)
  const deliver = (texts: readonly string[], signal = forever) => sender.deliver(texts.map(message), signal)
  return { sender, deliver, requests, clock }
}

const sent = (requests: readonly Request[]): string[][] => requests.map(({ texts }) => texts)

test('gathers what waits, in the order it came, up to the number of messages', async () => {
  const { deliver, requests } = setup()
  const all = Promise.all([deliver(['a', 'b']), deliver(['c', 'd']), deliver(['e'])])
  await settled()
  assert.deepEqual(sent(requests), [['a', 'b', 'c']])
  requests[0]!.answer()
  await settled()
  await settled()
  requests[1]!.answer()
  await all
  assert.deepEqual(sent(requests), [
    ['a', 'b', 'c'],
    ['d', 'e']
  ])
})

test('gathers up to the number of bytes; what is larger alone goes alone', async () => {
  const { deliver, requests } = setup({ inFlight: 9 })
  const [small, half, huge] = ['s'.repeat(60), 'h'.repeat(40), 'x'.repeat(1_000)]
  const all = deliver([small, half, 'one more', huge, 'after'])
  await settled()
  assert.deepEqual(sent(requests), [[small, half], ['one more'], [huge], ['after']])
  for (const request of requests) request.answer()
  await all
})

test('has no more requests under way than it may', async () => {
  const { deliver, requests } = setup({ inFlight: 2, maxMessages: 1 })
  const all = deliver(['a', 'b', 'c'])
  await settled()
  assert.deepEqual(sent(requests), [['a'], ['b']])
  requests[1]!.answer()
  await settled()
  await settled()
  assert.deepEqual(sent(requests), [['a'], ['b'], ['c']])
  requests[0]!.answer()
  requests[2]!.answer()
  await all
})

test('a delivery resolves only when its last message is there', async () => {
  const { deliver, requests } = setup({ inFlight: 2, maxMessages: 1 })
  let isThere = false
  const all = deliver(['a', 'b']).then(() => (isThere = true))
  await settled()
  requests[0]!.answer()
  await settled()
  assert.equal(isThere, false)
  requests[1]!.answer()
  await all
})

test('a request that fails fails those it carried, and no others', async () => {
  const { deliver, requests } = setup({ inFlight: 2, maxMessages: 1 })
  const ended = Promise.allSettled([deliver(['a']), deliver(['b'])])
  await settled()
  requests[0]!.fail(new Error('full'))
  requests[1]!.answer()
  assert.deepEqual(
    (await ended).map(({ status }) => status),
    ['rejected', 'fulfilled']
  )
})

test('of a delivery that has failed or was ended nothing more is sent', async () => {
  const { deliver, requests } = setup({ maxMessages: 1 })
  const cut = new AbortController()
  const ended = Promise.allSettled([deliver(['a', 'a2']), deliver(['b'], cut.signal), deliver(['c'])])
  await settled()
  cut.abort()
  requests[0]!.answer([new Error('refused')])
  await settled()
  await settled()
  assert.deepEqual(sent(requests), [['a'], ['c']])
  requests[1]!.answer()
  assert.deepEqual(
    (await ended).map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled']
  )
})

test('what takes too long is cut, rejects, and makes room for the next', async () => {
  const { deliver, requests, clock } = setup({ maxMessages: 1 })
  const late = assert.rejects(deliver(['late']), { message: 'Destination the bin did not answer within 5 s.' })
  const next = deliver(['next'])
  await settled()
  await clock.advance(5_000)
  await late
  assert.equal(requests[0]!.signal.aborted, true)
  await settled()
  assert.deepEqual(sent(requests), [['late'], ['next']])
  requests[1]!.answer()
  await next
  assert.equal(clock.waiting, 0)
})

test('closing cuts requests under way', async () => {
  const { sender, deliver, requests } = setup()
  const rejected = assert.rejects(deliver(['a']), { message: 'Destination the bin is closed.' })
  await settled()
  await sender.close()
  await rejected
  assert.equal(requests[0]!.signal.aborted, true)
})

test('leaves no listeners on the signals of its callers', async () => {
  const { deliver, requests } = setup()
  const signal = new AbortController().signal
  let listeners = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--
    remove(...args)
  }
  const done = deliver(['a'], signal)
  await settled()
  assert.equal(listeners, 1)
  requests[0]!.answer()
  await done
  assert.equal(listeners, 0)
})
