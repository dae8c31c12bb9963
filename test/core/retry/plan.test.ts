import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { backoffMs, defaultBackoff } from '../../../src/core/retry/backoff.ts'
import { classify, type Outcome } from '../../../src/core/retry/outcome.ts'
import { firstAttempt, plan } from '../../../src/core/retry/plan.ts'
import { retryPolicy, type RetryPolicy } from '../../../src/core/retry/policy.ts'
import type { InvokeReply } from '../../../src/core/retry/reply.ts'
import { aSpec } from '../../support/mappings.ts'

const payload = new Uint8Array()
const forEver = retryPolicy(aSpec())
const after = (reply: InvokeReply, attempt = firstAttempt, policy = forEver, records = 8) =>
  plan(policy, records, attempt, classify(reply), 0.5)
const failure: InvokeReply = { kind: 'function-error', errorType: 'Error', errorMessage: 'no stock', payload }
const tried = (failures: number) => ({ failures, misses: 0 })

describe('what each answer means (reference 5.1)', () => {
  test('an answer settles the batch, whatever it says', () => {
    assert.deepEqual(after({ kind: 'returned', payload: Buffer.from('{"batchItemFailures":["x"]}') }), {
      kind: 'settle'
    })
  })

  test('a function error is tried again, and counts', () => {
    assert.deepEqual(after(failure), {
      kind: 'again',
      attempt: tried(1),
      waitMs: 250,
      error: 'Error: no stock'
    })
  })

  test('a function that does not answer in time has failed', () => {
    const step = after({ kind: 'timed-out', afterMs: 3_000 })
    assert.ok(step.kind === 'again' && step.attempt.failures === 1)
  })

  test('throttles and unreachable functions spend no try, however few there are', () => {
    const policy: RetryPolicy = { ...forEver, maxRetries: 0 }
    const replies: InvokeReply[] = [
      { kind: 'throttled', message: 'busy' },
      { kind: 'unavailable', message: 'refused' }
    ]
    for (const reply of replies) {
      const step = after(reply, { failures: 0, misses: 4 }, policy)
      assert.ok(step.kind === 'again')
      assert.deepEqual(step.attempt, { failures: 0, misses: 5 })
    }
  })

  test('a throttle waits as long as it was asked to', () => {
    const step = after({ kind: 'throttled', retryAfterMs: 40_000, message: 'busy' })
    assert.ok(step.kind === 'again' && step.waitMs === 40_000)
  })

  test('an event that is too large is split, and one record that is given up; a call that we cut is left', () => {
    const tooLarge: InvokeReply = { kind: 'too-large', message: '413' }
    assert.deepEqual(after(tooLarge), { kind: 'split', cause: 'size', error: '413' })
    assert.deepEqual(after(tooLarge, firstAttempt, forEver, 1), {
      kind: 'discard',
      condition: 'size',
      attempt: firstAttempt,
      error: '413'
    })
    assert.equal(after({ kind: 'aborted' }).kind, 'leave')
  })
})

describe('how often a batch is tried (reference 7.1, 5.3)', () => {
  test('N retries are N+1 calls', () => {
    for (const maxRetries of [0, 1, 5]) {
      let attempt = firstAttempt
      let calls = 0
      for (;;) {
        calls++
        const step = after(failure, attempt, { ...forEver, maxRetries })
        if (step.kind === 'discard') break
        assert.ok(step.kind === 'again')
        attempt = step.attempt
      }
      assert.equal(calls, maxRetries + 1)
    }
  })

  test('retries for ever end after ten when there is a destination', () => {
    assert.equal(retryPolicy(aSpec({ destination: 'kafka://failed' })).maxRetries, 10)
    assert.equal(retryPolicy(aSpec({ destination: 'kafka://failed', maximumRetryAttempts: 20 })).maxRetries, 20)
    assert.equal(retryPolicy(aSpec({ maximumRetryAttempts: -1 })).maxRetries, -1)
  })
})

describe('a failed batch of several records is split (reference 7.2)', () => {
  const bisect: RetryPolicy = { ...forEver, maxRetries: 2, bisect: true }

  test('by a function error, whatever tries it has used, and not by a throttle', () => {
    assert.deepEqual(after(failure, tried(2), bisect), { kind: 'split', cause: 'bisect', error: 'Error: no stock' })
    assert.equal(after({ kind: 'throttled', message: '' }, tried(2), bisect).kind, 'again')
  })

  test('a single record spends its tries', () => {
    assert.equal(after(failure, tried(1), bisect, 1).kind, 'again')
    assert.equal(after(failure, tried(2), bisect, 1).kind, 'discard')
  })

  test('named items make the split unnecessary', () => {
    const partial: Outcome = { kind: 'partial', failed: [1, 3], error: 'two' }
    assert.deepEqual(plan(bisect, 8, tried(0), partial, 0.5), {
      kind: 'again',
      attempt: tried(1),
      waitMs: 250,
      error: 'two',
      failed: [1, 3]
    })
    assert.deepEqual(plan(bisect, 8, tried(2), partial, 0.5), {
      kind: 'discard',
      condition: 'retries',
      attempt: tried(3),
      error: 'two',
      failed: [1, 3]
    })
  })
})

describe('how long it waits (reference 5.4)', () => {
  test('waits stay within their bounds and grow to the cap', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.double({ min: 0, max: 1, noNaN: true }), (tries, chance) => {
        const waitMs = backoffMs(tries, chance)
        assert.ok(waitMs >= 50 && waitMs <= 60_000)
      })
    )
    assert.equal(backoffMs(50, 1), 60_000)
  })

  test('a throttle waits fifteen seconds at most, unless it asks for more', () => {
    const step = plan(forEver, 1, { failures: 0, misses: 30 }, classify({ kind: 'throttled', message: '' }), 1)
    assert.ok(step.kind === 'again' && step.waitMs === defaultBackoff.throttleCapMs)
  })
})
