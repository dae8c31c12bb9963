// A checker that has caught nothing proves nothing.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { GroupCommit } from '../../support/kafka/group-commits.ts'
import { check } from './checker.ts'
import type { CallEntry, EventEntry, History } from './history.ts'
import type { ChaosEvent } from './schedule.ts'

const startMs = 1_000_000
const range = (first: number, next: number) => Array.from({ length: next - first }, (_, index) => first + index)

interface Called {
  readonly mapping?: string
  readonly atMs: number
  readonly lastsMs?: number
  readonly offsets: readonly number[]
  readonly failed?: readonly number[]
  readonly state?: 'returned' | 'failed' | 'gone'
}

const calls = (...given: readonly Called[]): CallEntry[] =>
  given.map(({ mapping = 'a', atMs, lastsMs = 10, offsets, failed = [], state = 'returned' }, index) => ({
    number: index + 1,
    mapping,
    beganMs: startMs + atMs,
    end: { atMs: startMs + atMs + lastsMs, state },
    records: new Map([[0, offsets]]),
    failed: new Set(failed.map(offset => `0@${offset}`))
  }))

const commit = (atMs: number, offset: number, done: readonly [number, number][] = []): GroupCommit => ({
  topic: 'orders',
  partition: 0,
  offset,
  leaderEpoch: 0,
  metadata: '',
  progress: { offset, pieces: [], done: done.map(([first, next]) => ({ first, next })) },
  atMs: startMs + atMs,
  position: { partition: 0, offset: atMs }
})

const befell = (event: ChaosEvent, atMs: number, lastsMs = 5_000): EventEntry => ({
  event,
  ...('node' in event ? { mapping: event.node === 1 ? 'a' : 'b' } : {}),
  beganMs: startMs + atMs,
  endedMs: startMs + atMs + lastsMs
})

/** Ten records, delivered in two calls and committed after each. */
const sound: History = {
  log: new Map([[0, range(0, 10)]]),
  acknowledged: new Set(['0@0', '0@9']),
  aborted: new Set(),
  calls: calls({ atMs: 0, offsets: range(0, 5) }, { atMs: 20, offsets: range(5, 10) }),
  printed: [],
  commits: [commit(15, 5), commit(40, 10)],
  events: []
}
const violationsOf = (change: Partial<History>) => check({ ...sound, ...change }).violations

suite('the checker of a run', () => {
  test('has nothing against one in which all was well', () => {
    assert.deepEqual(violationsOf({}), [])
    const failing = calls(
      { atMs: 0, offsets: range(0, 5), failed: [1, 3] },
      { atMs: 20, offsets: [1, 3], state: 'failed' },
      { atMs: 40, offsets: [1, 3] },
      { atMs: 60, offsets: range(5, 10) }
    )
    assert.deepEqual(violationsOf({ calls: failing, commits: [commit(15, 1, [[2, 3]]), commit(75, 10)] }), [])
  })

  const cases: Readonly<Record<string, readonly [Partial<History>, RegExp]>> = {
    'a record that never came': [{ calls: calls({ atMs: 0, offsets: range(0, 5) }), commits: [] }, /^lost: 0@5$/],
    'a record of which only a failed call is known': [
      {
        calls: calls({ atMs: 0, offsets: range(0, 5) }, { atMs: 20, offsets: range(5, 10), state: 'failed' }),
        commits: []
      },
      /^lost: 0@9$/
    ],
    'a record that Kafka does not show': [
      { log: new Map([[0, range(0, 9)]]), acknowledged: new Set() },
      /^phantom: 0@9$/
    ],
    'a record of an aborted transaction': [{ aborted: new Set(['0@7']) }, /^aborted: 0@7$/],
    'an acknowledged record that Kafka does not show': [{ acknowledged: new Set(['0@12']) }, /^Kafka lost: 0@12$/],
    'a call before the one before it was done': [
      {
        calls: calls(
          { atMs: 0, offsets: range(0, 5), failed: [2] },
          { atMs: 20, offsets: range(5, 10) },
          { atMs: 40, offsets: [2] }
        ),
        commits: []
      },
      /^order: partition 0: call 2 has 9, but 2 was not done$/
    ],
    'a call that leaves records out': [
      { calls: calls({ atMs: 0, offsets: [0, 1, 4] }, { atMs: 20, offsets: [2, 3, ...range(5, 10)] }), commits: [] },
      /^order: partition 0: call 1 has 4, but 2 was not done$/
    ],
    'a call whose records are not in order': [
      { calls: calls({ atMs: 0, offsets: [1, 0, 2, 3, 4] }, { atMs: 20, offsets: range(5, 10) }) },
      /^order: partition 0: call 1 has 1,0,2,3,4$/
    ],
    'two calls at a time': [
      {
        calls: calls({ atMs: 0, lastsMs: 30, offsets: range(0, 5) }, { atMs: 20, offsets: range(0, 10) }),
        commits: []
      },
      /^overlap: partition 0: call 2 began in 1$/
    ],
    'a commit before its records were done': [{ commits: [commit(15, 6)] }, /^ahead: partition 0: 6 /],
    'a commit past the end of what was done': [
      { commits: [commit(15, 5), commit(22, 10)] },
      /^ahead: partition 0: 10 /
    ],
    'progress that was not made': [{ commits: [commit(15, 5, [[7, 8]])] }, /^ahead: .* says that 7 are done$/],
    'a commit that falls behind': [{ commits: [commit(40, 10), commit(41, 5)] }, /^back: partition 0: 5 .* after 10$/],
    'a record that comes twice for no reason': [
      { calls: calls({ atMs: 0, offsets: range(0, 5) }, { atMs: 20, offsets: range(4, 10) }) },
      /^repeat: 0@4: /
    ],
    'a repeat after a clean leave': [repeated({ kind: 'leave', node: 1 }, 100), /^repeat: /],
    'a repeat of what another process did than the one that was killed': [
      repeated({ kind: 'kill', node: 2 }, 100),
      /^repeat: /
    ],
    'a repeat of what was finished long before the kill': [repeated({ kind: 'kill', node: 1 }, 3_000), /^repeat: /],
    'a zombie that calls for what its successor did': [
      {
        events: [befell({ kind: 'freeze', node: 1 }, 0)],
        calls: calls(
          { atMs: 100, mapping: 'b', offsets: range(0, 10) },
          { atMs: 5_000, mapping: 'a', offsets: range(5, 10) }
        ),
        commits: []
      },
      /^repeat: 0@5: /
    ],
    'a record that the foreign member had committed': [
      {
        printed: [{ partition: 0, offset: 7 }],
        commits: [commit(-10, 8)],
        events: [befell({ kind: 'foreign-joins' }, -100)]
      },
      /^repeat: 0@7: printed by /
    ],
    'a record that a foreign member had which never joined': [
      { printed: [{ partition: 0, offset: 3 }] },
      /^repeat: 0@3: printed by /
    ]
  }
  for (const [name, [change, wanted]] of Object.entries(cases)) {
    test(`catches ${name}`, () => {
      const violations = violationsOf(change)
      assert.ok(
        violations.some(violation => wanted.test(violation)),
        violations.join('\n')
      )
    })
  }

  for (const kind of ['kill', 'freeze'] as const) {
    test(`takes repeats of what was in flight or not committed at a ${kind}, and counts them`, () => {
      const { violations, repeats } = check({ ...sound, ...repeated({ kind, node: 1 }, 500) })
      assert.deepEqual(violations, [])
      assert.deepEqual([...repeats.values()], [5])
    })
  }

  test('takes repeats of a process that leaves while a broker is killed', () => {
    const { events = [], ...rest } = repeated({ kind: 'leave', node: 1 }, 4_000)
    const loss = befell({ kind: 'kill-broker', broker: 1 }, 500)
    assert.deepEqual(violationsOf({ ...rest, events: [...events, loss] }), [])
    const clean = befell({ kind: 'stop-broker', broker: 1 }, 500)
    assert.notDeepEqual(violationsOf({ ...rest, events: [...events, clean] }), [])
  })

  test('takes repeats of what the foreign member printed and did not commit', () => {
    const printed = [{ partition: 0, offset: 3 }]
    assert.deepEqual(violationsOf({ printed, events: [befell({ kind: 'foreign-joins' }, -100)] }), [])
  })

  test('has nothing against records that only the foreign member had', () => {
    const printed = range(5, 10).map(offset => ({ partition: 0, offset }))
    assert.deepEqual(violationsOf({ calls: calls({ atMs: 0, offsets: range(0, 5) }), printed }), [])
  })
})

/** Records 5 to 9 come once more, after the event. */
function repeated(event: ChaosEvent, atMs: number): Partial<History> {
  const again = { mapping: 'b', atMs: atMs + 10_000, offsets: range(5, 10) }
  return {
    calls: calls({ atMs: 0, offsets: range(0, 5) }, { atMs: 20, offsets: range(5, 10) }, again),
    commits: [commit(15, 5)],
    events: [befell(event, atMs)]
  }
}
