import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BackgroundCalls } from '../../src/control/background-calls.ts'
import type { InvokeReply } from '../../src/core/retry/reply.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { aFunction } from './control-world.ts'

const failed: InvokeReply = {
  kind: 'function-error',
  errorType: 'E',
  errorMessage: 'boom',
  payload: Buffer.from('{}')
}
const returned: InvokeReply = { kind: 'returned', payload: Buffer.from('{}') }

function setup(answer: (call: number) => InvokeReply | Promise<InvokeReply>) {
  const clock = new FakeClock()
  const log = new RecordingLog()
  const calledAt: number[] = []
  const calls = new BackgroundCalls({
    clock,
    log,
    invoke: async () => {
      calledAt.push(clock.monotonicMs())
      return answer(calledAt.length)
    }
  })
  const accept = (bytes = 2): void =>
    calls.accept(aFunction('f'), { payload: Buffer.alloc(bytes), requestId: 'r', logTail: false })
  return { clock, log, calls, calledAt, accept }
}

test('a function error is tried again after one minute and after two more, and then given up', async () => {
  const { clock, log, calledAt, accept } = setup(() => failed)
  accept()
  await clock.advance(3_600_000)
  assert.deepEqual(calledAt, [0, 60_000, 180_000])
  assert.deepEqual(log.messages('error'), ['an asynchronous invocation is given up'])
  assert.equal(clock.waiting, 0)
})

test('what succeeds is not tried again', async () => {
  const { clock, log, calledAt, accept } = setup(call => (call === 1 ? failed : returned))
  accept()
  await clock.advance(3_600_000)
  assert.deepEqual([calledAt, log.messages('error')], [[0, 60_000], []])
})

test('a throttle spends no try, and is given up after six hours', async () => {
  const { clock, log, calledAt, accept } = setup(() => ({ kind: 'throttled', message: 'busy' }))
  accept()
  await clock.advance(3_600_000)
  assert.ok(calledAt.length > 20)
  assert.deepEqual(log.messages('error'), [])
  await clock.advance(6 * 3_600_000)
  assert.equal(log.messages('error').length, 1)
})

test('beyond a number of waiting calls, or of their bytes, more are throttled until some are done', async () => {
  const release = Promise.withResolvers<InvokeReply>()
  const { accept, calledAt } = setup(() => release.promise)
  for (let n = 0; n < 1_016; n++) accept()
  assert.equal(calledAt.length, 16)
  assert.throws(() => accept(), { code: 'MILL_INVOKE_THROTTLED' })
  release.resolve(returned)
  await settled()
  for (let n = 0; n < 64; n++) accept(1_048_576)
  assert.throws(() => accept(1_048_576), { code: 'MILL_INVOKE_THROTTLED' })
  await settled()
  accept(1_048_576)
})

test('a stop says how many it forgets, and takes no more until it is started again', async () => {
  const { clock, calls, log, calledAt, accept } = setup(() => failed)
  accept()
  await settled()
  calls.stop()
  assert.deepEqual(log.lines.at(-1), {
    level: 'warn',
    fields: { forgotten: 1 },
    message: 'asynchronous invocations were waiting and are forgotten'
  })
  assert.throws(() => accept(), { code: 'MILL_INVOKE_THROTTLED' })
  await clock.advance(3_600_000)
  assert.equal(calledAt.length, 1)
  calls.start()
  accept()
  await settled()
  assert.equal(calledAt.length, 2)
})
