import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { AuthenticationRefused } from '../../../../src/adapters/kafka/problems.ts'
import { LoginGate } from '../../../../src/adapters/kafka/security/login-gate.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

function setup() {
  const clock = new FakeClock()
  const gate = new LoginGate(clock)
  let tries = 0
  const refuse = () => {
    tries++
    return Promise.reject(new AuthenticationRefused('b:1', `refused ${tries}`))
  }
  const longestMs = 60_000
  return {
    clock,
    gate,
    tries: () => tries,
    enter: (fingerprint = 'old') => gate.enter(fingerprint, longestMs, refuse).catch((error: Error) => error.message)
  }
}

suite('wrong credentials', () => {
  test('are tried once, and for everybody else who comes meanwhile not at all', async () => {
    const { enter, tries } = setup()
    const told = await Promise.all(Array.from({ length: 15 }, () => enter()))
    assert.equal(tries(), 1)
    assert.deepEqual([...new Set(told)], ['broker b:1: refused 1'])
  })

  test('are tried again after a pause that doubles up to a minute', async () => {
    const { clock, enter, tries } = setup()
    await enter()
    const pauses: number[] = []
    for (let round = 0; round < 10; round++) {
      const before = tries()
      let waitedMs = 0
      while (tries() === before) {
        await clock.advance(250)
        waitedMs += 250
        await enter()
      }
      pauses.push(waitedMs)
    }
    for (const [round, pauseMs] of pauses.entries()) {
      const fullMs = Math.min(60_000, 1000 * 2 ** round)
      assert.ok(pauseMs >= fullMs / 2 && pauseMs <= fullMs + 250, `pause ${round}: ${pauseMs} ms`)
    }
  })

  test('that were exchanged are tried at once, and what they are refused for counts anew', async () => {
    const { enter, tries, gate } = setup()
    await enter('old')
    await enter('new')
    assert.equal(tries(), 2)
    assert.equal(await gate.enter('newer', 60_000, () => Promise.resolve('in')), 'in')
    await enter('new')
    assert.equal(tries(), 3)
  })

  test('are not what a broken connection shows', async () => {
    const { gate } = setup()
    const broken = () => gate.enter('same', 60_000, () => Promise.reject(new Error('broken')))
    await assert.rejects(broken(), /broken/)
    assert.equal(await gate.enter('same', 60_000, () => Promise.resolve('in')), 'in')
  })
})
