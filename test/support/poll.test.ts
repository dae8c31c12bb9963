import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from './poll.ts'

test('asks until there is an answer, past answers of no and past errors', async () => {
  let asked = 0
  const answer = await eventually(
    () => {
      asked += 1
      if (asked === 1) throw new Error('not up yet')
      return asked === 3 && 'here'
    },
    { intervalMs: 1, describe: 'the third time' }
  )
  assert.deepEqual([answer, asked], ['here', 3])
})

test('nought and the empty text are answers', async () => {
  assert.equal(await eventually(() => 0, { describe: 'a count' }), 0)
  assert.equal(await eventually(() => '', { describe: 'a text' }), '')
})

test('at the deadline it tells what was awaited and seen last, with the last error as cause', async () => {
  const refused = new Error('refused')
  let seen = 'nothing'
  const waiting = eventually(
    () => {
      seen = 'one of two brokers'
      throw refused
    },
    { timeoutMs: 5, intervalMs: 1, describe: () => `two brokers (${seen})` }
  )
  await assert.rejects(waiting, { message: 'not within 5 ms: two brokers (one of two brokers)', cause: refused })
})
