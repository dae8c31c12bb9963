import assert from 'node:assert/strict'
import { test } from 'node:test'
import { traceParent } from '../../src/core/trace.ts'

test('a call’s trace is its request id', () => {
  assert.equal(
    traceParent('316AA6D0-1111-4222-8333-444455556666', '00f067aa0ba902b7'),
    '00-316aa6d0111142228333444455556666-00f067aa0ba902b7-01'
  )
})

test('what is no UUID has no trace', () => {
  for (const requestId of ['', 'request-1', '00000000-0000-0000-0000-000000000000'])
    assert.equal(traceParent(requestId, '00f067aa0ba902b7'), undefined)
})
