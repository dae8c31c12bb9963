import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stillness } from '../../../src/adapters/host/stillness.ts'

test('tells when the thread came back from standing still, whoever notices first', t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let nowMs = 1_000
  const pass = (ms: number) => {
    nowMs += ms
    t.mock.timers.tick(ms)
  }
  const stillness = new Stillness(() => nowMs)
  assert.equal(stillness.cameBackMs(), -Infinity)
  for (let tick = 0; tick < 20; tick++) pass(500)
  assert.equal(stillness.cameBackMs(), -Infinity, 'it ticked all the time')
  nowMs += 6_000
  assert.equal(stillness.cameBackMs(), nowMs, 'asked before the first tick')
  const cameBackMs = nowMs
  for (let tick = 0; tick < 20; tick++) pass(500)
  assert.equal(stillness.cameBackMs(), cameBackMs)
  nowMs += 6_000
  pass(500)
  pass(500)
  assert.equal(stillness.cameBackMs(), nowMs - 500, 'the tick noticed')
})
