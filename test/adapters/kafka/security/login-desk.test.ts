import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { LoginDesk } from '../../../../src/adapters/kafka/security/login-desk.ts'
import { TurnTaker } from '../../../../src/adapters/kafka/security/turn-taker.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

class Wrong extends Error {}

/** Connections that share a secret, each retrying after pauses up to four seconds as pollers do, and a broker that knows one password. */
function setup(connections: number, chances: readonly number[] = [0.5], longestPauseMs = 4_000) {
  const clock = new FakeClock()
  const desk = new LoginDesk(clock)
  const world = {
    secret: 'wrong',
    right: 'right',
    tries: [] as { atMs: number; password: string }[],
    inAtMs: [] as number[]
  }
  const pause = (ms: number) => new Promise<void>(resolve => clock.after(ms, resolve))
  const told: string[][] = []
  const login = async (password: string) => {
    world.tries.push({ atMs: clock.monotonicMs(), password })
    await pause(20)
    if (password !== world.right) throw new Wrong(password)
  }
  const connection = async (index: number) => {
    const taker = new TurnTaker(desk)
    const heard: string[] = (told[index] = [])
    for (let tries = 0; ; tries++) {
      try {
        for (;;) {
          const password = world.secret
          const taken = await taker.take({
            key: password,
            run: () => login(password),
            refusalOf: error => (error instanceof Wrong ? { broker: `b${index}`, reason: error.message } : undefined),
            failure: ({ broker, reason }) => new Wrong(`${broker} ${reason}`)
          })
          if (taken !== undefined) break
        }
        world.inAtMs.push(clock.monotonicMs())
        return
      } catch (error) {
        heard.push((error as Error).message)
        const chance = chances[(tries + index) % chances.length]!
        await pause(Math.min(longestPauseMs, 100 * 2 ** tries) * (0.5 + 0.5 * chance))
      }
    }
  }
  const run = () => {
    for (let index = 0; index < connections; index++) void connection(index)
  }
  return { clock, world, told, run }
}

suite('a password that is wrong', () => {
  test('costs the broker one try, then one after 0.5, 1, 2 and 4 seconds, however many connections would show it', async () => {
    const { clock, world, run } = setup(200)
    run()
    await clock.advance(30_000)
    const gaps = world.tries.slice(1).map(({ atMs }, index) => atMs - world.tries[index]!.atMs - 20)
    assert.deepEqual(gaps.slice(0, 4), [500, 1_000, 2_000, 4_000])
    assert.ok(gaps.slice(4).every(gap => gap >= 4_000 && gap < 4_100))
    assert.ok(world.tries.length <= 10, `${world.tries.length} tries`)
  })

  test('is told to every connection at once, to late ones as well, in a text that stays', async () => {
    const { clock, told, run } = setup(20)
    run()
    await clock.advance(100)
    assert.ok(told.every(([first]) => first === 'b0 wrong'))
    await clock.advance(20_000)
    run()
    await clock.advance(0)
    assert.ok(told.every(heard => new Set(heard).size === 1 && heard[0] === 'b0 wrong'))
  })

  for (const cure of ['at the broker', 'in the secret'] as const)
    test(`lets everybody in within five seconds of its cure ${cure}, whenever that comes`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 0, max: 25_000 }),
          fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 }),
          fc.integer({ min: 1, max: 30 }),
          async (curedMs, chances, connections) => {
            const { clock, world, run } = setup(connections, chances)
            run()
            await clock.advance(curedMs)
            if (cure === 'at the broker') world.right = 'wrong'
            else world.secret = 'right'
            await clock.advance(5_000)
            assert.equal(world.inAtMs.length, connections, `${world.inAtMs.length} are in`)
            const wrong = world.tries.filter(({ password }) => password === 'wrong' && cure === 'in the secret')
            for (const [index, { atMs }] of wrong.slice(1).entries())
              assert.ok(atMs - wrong[index]!.atMs >= 500, 'tries of what is wrong keep their distance')
          }
        ),
        { numRuns: 25 }
      )
    })

  test('that was exchanged for another wrong one begins anew', async () => {
    const { clock, world, run } = setup(20, [0.5], 100)
    run()
    await clock.advance(20_000)
    world.secret = 'wrong too'
    await clock.advance(8_000)
    const tries = world.tries.filter(({ password }) => password === 'wrong too').map(({ atMs }) => atMs)
    const [first = 0, ...next] = tries
    assert.deepEqual(
      next.slice(0, 3).map(atMs => atMs - first),
      [520, 1_540, 3_560]
    )
  })
})

test('what one set of credentials waits for holds up no other', async () => {
  const clock = new FakeClock()
  const desk = new LoginDesk(clock)
  const wrong = await desk.ask('wrong', undefined)
  assert.equal(wrong.kind, 'go')
  if (wrong.kind === 'go') await wrong.end({ kind: 'refused', broker: 'b', reason: 'no' })
  assert.equal((await desk.ask('right', undefined)).kind, 'go')
})

test('a turn that is ended twice has ended once', async () => {
  const clock = new FakeClock()
  const desk = new LoginDesk(clock)
  const turn = await desk.ask('key', undefined)
  assert.equal(turn.kind, 'go')
  if (turn.kind !== 'go') return
  await turn.end({ kind: 'unanswered' })
  await turn.end({ kind: 'unanswered' })
  await desk.ask('key', undefined)
  let second = false
  void desk.ask('key', undefined).then(() => (second = true))
  await clock.advance(0)
  assert.equal(second, false, 'one at a time')
})
