import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LiveLog } from '../../../src/app/dev/live-log.ts'
import type { CallEndedMessage, PollerEvent } from '../../../src/ports/poller-event.ts'
import { RecordingIo } from '../../support/recording-io.ts'

const requestId = 'bd5f2384-0000-4000-8000-000000000000'
const at = new Date(2026, 0, 31, 12, 0, 0, 5).getTime()
const call = { mapping: 'm', requestId, records: 3, partitions: [{ topic: 't', partition: 0, first: 3, last: 5 }] }
const ended = (more: Omit<CallEndedMessage, keyof typeof call>): PollerEvent => ({
  kind: 'call-ended',
  ...call,
  ...more
})

function setup({ colour = false, output = 'text' as const }: { colour?: boolean; output?: 'text' | 'json' } = {}) {
  const io = new RecordingIo()
  const live = new LiveLog({ stdout: io.stdout, colour }, output, ['orders'])
  live.mapping('m', 'orders')
  live.introduce([])
  return { live, io }
}

/** The line of an event, without its time. */
function lineOf(event: PollerEvent): string {
  const { live, io } = setup()
  live.poller(event, at)
  return io.out.replace(/^12:00:00\.005 {2}/, '').trimEnd()
}

const texts: readonly (readonly [event: PollerEvent, line: string])[] = [
  [
    { kind: 'fetched', mapping: 'm', topic: 't', partition: 0, first: 3, last: 6, records: 3, filteredOut: 1 },
    'orders  in        t-0@3..6  3 records, 1 filtered out'
  ],
  [{ kind: 'call-started', ...call }, 'orders  call      bd5f2384  3 records  t-0@3..5'],
  [ended({ step: 'settle' }), 'orders  ok        bd5f2384'],
  [
    ended({ step: 'again', error: 'Error: no\n  at x', failures: 2, waitMs: 1_500 }),
    'orders  failed    bd5f2384  Error: no; failed 2 times, again in 1.5 s'
  ],
  [
    ended({ step: 'again', error: 'item failures', failed: 1, failures: 1, waitMs: 90 }),
    'orders  failed    bd5f2384  1 of 3 records: item failures; failed once, again in 90 ms'
  ],
  [
    ended({ step: 'again', error: 'busy', failures: 0, waitMs: 90 }),
    'orders  waiting   bd5f2384  busy; again in 90 ms'
  ],
  [ended({ step: 'split', error: 'Error: no' }), 'orders  failed    bd5f2384  Error: no; the batch is split in two'],
  [ended({ step: 'discard', error: 'Error: no' }), 'orders  failed    bd5f2384  Error: no; not tried again'],
  [
    { kind: 'given-up', ...call, condition: 'retries', calls: 3 },
    'orders  gave up   bd5f2384  3 records  t-0@3..5  after the last try, 3 calls, dropped: the mapping has no destination'
  ],
  [
    { kind: 'given-up', ...call, condition: 'age', calls: 1, destination: 'file:f' },
    'orders  gave up   bd5f2384  3 records  t-0@3..5  as they are too old, 1 call, to file:f'
  ],
  [
    { kind: 'held', ...call, condition: 'retries', calls: 1, destination: 'file:f', error: 'disk full', waitMs: 500 },
    'orders  held      bd5f2384  3 records  t-0@3..5  after the last try, 1 call, but file:f did not take them: disk full; again in 500 ms'
  ],
  [
    { kind: 'result', mapping: 'm', text: 'PROBLEM: Connection error. Details: x' },
    'orders  problem   Connection error. Details: x'
  ],
  // Told by the call itself.
  [{ kind: 'result', mapping: 'm', text: 'PROBLEM: Function call failed. Details: x' }, ''],
  [{ kind: 'result', mapping: 'm', text: 'OK' }, '']
]

for (const [event, line] of texts) {
  test(`"${line}"`, () => {
    assert.equal(lineOf(event), line)
  })
}

test('the end of a call tells how long it took', () => {
  const { live, io } = setup()
  live.poller({ kind: 'call-started', ...call }, at - 40)
  live.poller(ended({ step: 'settle' }), at)
  assert.match(io.out, /ok {8}bd5f2384 {2}40 ms\n$/)
})

test('what a function writes keeps its colours only where there are any', () => {
  const line = {
    kind: 'line',
    function: 'orders',
    instance: 'i',
    requestId,
    stream: 'stdout',
    text: '\u001B[31mred\u001B[0m'
  } as const
  const plain = setup()
  plain.live.function(line, at)
  assert.equal(plain.io.out, '12:00:00.005  orders  log       bd5f2384  red\n')
  const coloured = setup({ colour: true })
  coloured.live.function(line, at)
  assert.ok(coloured.io.out.endsWith('\u001B[31mred\u001B[0m\n'))
})

test('as JSON every event is a line with the whole request id, and nothing else is written', () => {
  const { live, io } = setup({ output: 'json' })
  live.introduce(['run'])
  live.poller({ kind: 'call-started', ...call }, at)
  live.function({ kind: 'ready', function: 'orders', instance: 'i', initMs: 3 }, at)
  assert.deepEqual(
    io.out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as unknown),
    [
      { time: new Date(at).toISOString(), function: 'orders', kind: 'call-started', ...call },
      { time: new Date(at).toISOString(), kind: 'function-ready', function: 'orders', instance: 'i', initMs: 3 }
    ]
  )
})

test('the server’s own troubles are told in the same place, those of functions by their events', () => {
  const { live, io } = setup()
  live.serverLog.child({}).error({ error: new Error('no disk') }, 'the store cannot be used')
  live.serverLog.warn({ function: 'orders' }, 'told elsewhere')
  assert.match(io.out, /^[\d:.]+ +problem +the store cannot be used: no disk\n$/)
})

test('what happens before it is said what runs comes after that', () => {
  const io = new RecordingIo()
  const live = new LiveLog({ stdout: io.stdout, colour: false }, 'text', ['orders'])
  live.function(
    { kind: 'line', function: 'orders', instance: 'i', requestId: undefined, stream: 'stdout', text: 'hi' },
    at
  )
  assert.equal(io.out, '')
  live.introduce(['run'])
  live.introduce([])
  assert.equal(io.out, 'run\n12:00:00.005  orders  log       hi\n')
})
