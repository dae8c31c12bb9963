import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { backoffMs, throttleCapMs } from '../../../src/core/retry/backoff.ts'
import { classify } from '../../../src/core/retry/outcome.ts'
import { firstAttempt, plan } from '../../../src/core/retry/plan.ts'
import type { InvokeReply } from '../../../src/core/retry/reply.ts'

const payload = new Uint8Array()
const after = (reply: InvokeReply, attempt = firstAttempt) => plan(attempt, classify(reply), 0.5)
const failure: InvokeReply = { kind: 'function-error', errorType: 'Error', errorMessage: 'no stock', payload }

test('an answer settles the batch, whatever it says', () => {
  assert.deepEqual(after({ kind: 'returned', payload: Buffer.from('{"batchItemFailures":["x"]}') }), { kind: 'settle' })
})

test('a function error is tried again, and counts', () => {
  const step = after(failure)
  assert.deepEqual(step, {
    kind: 'again',
    attempt: { failures: 1, misses: 0 },
    waitMs: 375,
    error: 'Error: no stock'
  })
})

test('a function that does not answer in time has failed', () => {
  const step = after({ kind: 'timed-out', afterMs: 3_000 })
  assert.ok(step.kind === 'again' && step.attempt.failures === 1)
})

test('throttles and unreachable functions spend no try', () => {
  const replies: InvokeReply[] = [
    { kind: 'throttled', message: 'busy' },
    { kind: 'unavailable', message: 'refused' }
  ]
  for (const reply of replies) {
    const step = after(reply, { failures: 3, misses: 4 })
    assert.ok(step.kind === 'again')
    assert.deepEqual(step.attempt, { failures: 3, misses: 5 })
  }
})

test('a throttle waits as long as it was asked to', () => {
  const step = after({ kind: 'throttled', retryAfterMs: 40_000, message: 'busy' })
  assert.ok(step.kind === 'again' && step.waitMs === 40_000)
})

test('an event that is too large is halved; a call that we cut is left', () => {
  assert.equal(after({ kind: 'too-large', message: '413' }).kind, 'halve')
  assert.equal(after({ kind: 'aborted' }).kind, 'leave')
})

test('waits stay within their bounds and grow to the cap', () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.double({ min: 0, max: 1, noNaN: true }), (tries, chance) => {
      const waitMs = backoffMs(tries, chance)
      assert.ok(waitMs >= 250 && waitMs <= 60_000)
      assert.ok(backoffMs(tries, chance, throttleCapMs) <= throttleCapMs)
    })
  )
  assert.equal(backoffMs(50, 1), 60_000)
})
