import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { LoginQueue } from '../../../src/core/source/login-queue.ts'
import type { LoginAnswers, LoginOutcome } from '../../../src/core/source/login-queue.ts'

const refused = { kind: 'refused', broker: 'b:1', reason: 'wrong' } as const
const kinds = (answers: LoginAnswers<string>) => answers.map(([asker, { kind }]) => `${asker} ${kind}`)

suite('credentials that nobody knows to be good', () => {
  test('are tried by one; when they are let in the others follow, eight at a time and one more with each success', () => {
    const queue = new LoginQueue<string>()
    assert.deepEqual(queue.ask('first', undefined, 0), { kind: 'go' })
    const names = Array.from({ length: 200 }, (_, n) => `n${n}`)
    for (const name of names) assert.equal(queue.ask(name, undefined, 1), undefined)
    const following = kinds(queue.ended({ kind: 'in' }, 0, 2))
    assert.deepEqual(
      following,
      names.slice(0, 8).map(name => `${name} go`)
    )
    assert.deepEqual(kinds(queue.ended({ kind: 'in' }, 2, 3)), ['n8 go', 'n9 go'])
    let trying = 9
    for (let more = 0; more < 100; more++) trying += queue.ended({ kind: 'in' }, 3, 4).length - 1
    assert.equal(trying, 64)
    queue.ended(refused, 4, 5)
    assert.equal(queue.ask('later', 5, 6), undefined, 'nobody may begin after a refusal')
  })

  test('are tried by the next when nobody said yes or no', () => {
    const queue = new LoginQueue<string>()
    queue.ask('first', undefined, 0)
    queue.ask('second', undefined, 0)
    queue.ask('third', undefined, 0)
    assert.deepEqual(kinds(queue.ended({ kind: 'unanswered' }, 0, 1)), ['second go'])
  })

  test('are so again a while after they were let in', () => {
    const queue = new LoginQueue<string>()
    queue.ask('first', undefined, 0)
    queue.ended({ kind: 'in' }, 0, 0)
    assert.deepEqual(queue.ask('a', undefined, 2_000), { kind: 'go' })
    assert.equal(queue.ask('b', undefined, 2_000), undefined)
  })
})

suite('a refusal', () => {
  test('is told to all who wait, and at once to whoever comes later and has not heard of it', () => {
    const queue = new LoginQueue<string>()
    queue.ask('first', undefined, 0)
    queue.ask('second', undefined, 0)
    assert.deepEqual(kinds(queue.ended(refused, 0, 5)), ['second refused'])
    const refusal = { broker: 'b:1', reason: 'wrong', atMs: 5 }
    assert.deepEqual(queue.ask('later', undefined, 100), { kind: 'refused', refusal })
    assert.equal(queue.ask('later', 5, 200), undefined, 'who has heard of it waits')
  })

  test('names the same broker as long as the words are the same', () => {
    const queue = new LoginQueue<string>()
    const refuse = (broker: string, reason: string, atMs: number) => {
      queue.ask('x', queue.refusal?.atMs, atMs)
      queue.ended({ kind: 'refused', broker, reason }, atMs, atMs)
      return queue.refusal
    }
    refuse('b:1', 'wrong', 0)
    assert.deepEqual(refuse('b:2', 'wrong', 10_000), { broker: 'b:1', reason: 'wrong', atMs: 10_000 })
    assert.deepEqual(refuse('b:2', 'locked', 20_000), { broker: 'b:2', reason: 'locked', atMs: 20_000 })
  })

  test('of several who tried together counts once', () => {
    const queue = new LoginQueue<string>()
    queue.ask('first', undefined, 0)
    queue.ended({ kind: 'in' }, 0, 0)
    queue.ask('a', undefined, 1)
    queue.ask('b', undefined, 1)
    queue.ended(refused, 1, 10)
    queue.ended(refused, 1, 12)
    queue.ask('c', 10, 13)
    assert.equal(queue.dueMs, 510)
    assert.deepEqual(kinds(queue.due(509)), [])
    assert.deepEqual(kinds(queue.due(510)), ['c again'])
  })

  test('a minute after the last one begins anew, and nothing is left of it', () => {
    const queue = new LoginQueue<string>()
    for (const atMs of [0, 1_000, 3_000, 7_000]) {
      queue.ask('x', queue.refusal?.atMs, atMs)
      queue.ended(refused, atMs, atMs)
    }
    assert.equal(queue.isForgotten(66_999), false)
    assert.equal(queue.isForgotten(67_000), true)
    queue.ask('x', 7_000, 67_000)
    queue.ended(refused, 67_000, 67_000)
    queue.ask('y', 67_000, 67_001)
    assert.equal(queue.dueMs, 67_500)
  })
})

/** What askers, brokers and time may do, in any order. */
const step = fc.oneof(
  fc.record({ do: fc.constant('ask' as const), asker: fc.nat(9) }),
  fc.record({ do: fc.constant('end' as const), as: fc.constantFrom('in', 'refused', 'unanswered') }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.nat(3_000) })
)

test('whatever comes: no try in a pause, one at a time after a refusal, never too many, and nobody is left waiting', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), steps => {
      const queue = new LoginQueue<number>()
      const told = new Map<number, number>()
      const waiting = new Set<number>()
      const trying: number[] = []
      let nowMs = 0
      let refusedMs = -Infinity
      let refusals = 0
      const pauseMs = () => Math.min(4_000, 500 * 2 ** (refusals - 1))
      const begin = () => {
        const isRefused = queue.refusal !== undefined
        assert.ok(!isRefused || nowMs >= refusedMs + pauseMs(), `a try ${nowMs - refusedMs} ms after a refusal`)
        trying.push(nowMs)
        assert.ok(trying.length <= 64)
      }
      const hear = (answers: LoginAnswers<number>) => {
        for (const [asker, answer] of answers) {
          assert.ok(waiting.delete(asker), 'who is answered has waited')
          if (answer.kind === 'go') begin()
          if (answer.kind === 'refused') told.set(asker, answer.refusal.atMs)
        }
      }
      const end = (as: LoginOutcome['kind']) => {
        const beganMs = trying.shift()
        if (beganMs === undefined) return
        if (as === 'refused' && !(queue.refusal !== undefined && beganMs < queue.refusal.atMs)) {
          refusals = nowMs < refusedMs + 60_000 ? refusals + 1 : 1
          refusedMs = nowMs
        }
        hear(queue.ended(as === 'refused' ? { ...refused } : { kind: as }, beganMs, nowMs))
      }
      const pass = (ms: number) => {
        const untilMs = nowMs + ms
        while (queue.dueMs !== undefined && queue.dueMs <= untilMs) {
          nowMs = Math.max(nowMs, queue.dueMs)
          hear(queue.due(nowMs))
        }
        nowMs = untilMs
      }
      for (const each of steps) {
        if (each.do === 'pass') pass(each.ms)
        else if (each.do === 'end') end(each.as)
        else if (!waiting.has(each.asker)) {
          const answer = queue.ask(each.asker, told.get(each.asker), nowMs)
          if (answer === undefined) waiting.add(each.asker)
          else if (answer.kind === 'go') begin()
          else if (answer.kind === 'refused') told.set(each.asker, answer.refusal.atMs)
        }
        // A turn that ends in the millisecond of its refusal is one with it.
        nowMs++
      }
      for (let round = 0; round < 40 && (waiting.size > 0 || trying.length > 0); round++) {
        end('in')
        pass(4_000)
      }
      assert.equal(waiting.size, 0, 'everybody was answered in the end')
    })
  )
})
