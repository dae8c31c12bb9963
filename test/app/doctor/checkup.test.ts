import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokerUnreachable } from '../../../src/adapters/kafka/problems.ts'
import { MillraceError } from '../../../src/core/errors.ts'
import { Checkup, Complaint, NotDone } from '../../../src/app/doctor/checkup.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function setup(limits = { stepMs: 100, totalMs: 250 }) {
  const clock = new FakeClock()
  const stopping = new AbortController()
  const checkup = new Checkup({ clock, ...limits, stop: stopping.signal })
  return { clock, checkup, line: checkup.line(), stop: () => stopping.abort('SIGINT') }
}

const hang = () => new Promise<never>(() => undefined)
const fine = () => Promise.resolve({ detail: 'fine', value: 7 })

test('a step tells what it found, and hands on what it got', async () => {
  const { line, checkup } = setup()
  assert.equal(await line.run('TCP', 'b:1', fine), 7)
  assert.deepEqual(checkup.reports, [{ step: 'TCP', about: 'b:1', result: 'ok', ms: 0, detail: 'fine' }])
})

test('a step that hangs fails when its time is up, heeds it or not', async () => {
  const { line, checkup, clock } = setup()
  const running = line.run('TCP', undefined, hang)
  await clock.advance(100)
  assert.equal(await running, undefined)
  const [{ result, detail, ms } = assert.fail('no report')] = checkup.reports
  assert.deepEqual([result, detail, ms], ['failed', 'no answer within 100 ms', 100])
})

test('when all the time is up the rest is not begun', async () => {
  const { line, checkup, clock } = setup()
  for (let step = 0; step < 4; step++) {
    const running = line.run(`step ${step}`, undefined, hang)
    await clock.advance(100)
    await running
  }
  assert.deepEqual(
    checkup.reports.map(({ result, ms }) => [result, ms]),
    [
      ['failed', 100],
      ['failed', 100],
      ['failed', 50],
      ['skipped', 0]
    ]
  )
  assert.match(checkup.reports[2]?.detail ?? '', /within 50 ms/)
})

test('after the user has had enough nothing is begun', async () => {
  const { line, checkup, stop } = setup()
  stop()
  await line.run('TCP', undefined, () => assert.fail('it ran'))
  assert.equal(checkup.reports[0]?.result, 'skipped')
})

test('reports stand line by line in the order of their beginning, whatever ends first', async () => {
  const { line, checkup } = setup()
  const other = checkup.line()
  const slow = Promise.withResolvers<{ detail: string; value: number }>()
  const first = line.run('first', undefined, () => slow.promise)
  await other.run('third', undefined, fine)
  await line.run('second', undefined, fine)
  slow.resolve({ detail: '', value: 1 })
  await first
  assert.deepEqual(
    checkup.reports.map(({ step }) => step),
    ['first', 'second', 'third']
  )
})

for (const [name, error, result, advice] of [
  ['a complaint', new Complaint('bad', 'Do this.'), 'failed', 'Do this.'],
  ['what was not needed', new NotDone('no need'), 'skipped', undefined],
  [
    'a broker that refuses connections',
    new BrokerUnreachable('b:1', 'connect ECONNREFUSED', { stage: 'TCP' }),
    'failed',
    'Start the broker, or name the port that it listens on.'
  ],
  [
    'an error of the registry',
    new MillraceError('MILL_SECRET_UNREADABLE', ['s', 'gone']),
    'failed',
    'Put the secret where it is looked for, or correct its ARN.'
  ],
  [
    'a certificate that has expired',
    new BrokerUnreachable('b:1', 'certificate has expired', { stage: 'TLS', kind: 'server-untrusted' }),
    'failed',
    "Have the broker's certificate renewed; see that the clock of this machine is right."
  ],
  [
    'a fault of ours',
    new TypeError('x is undefined'),
    'failed',
    'Look at the log of the brokers, and tell us if it says nothing.'
  ]
] as const)
  test(`${name} is ${result}${advice === undefined ? '' : ', with one thing to do'}`, async () => {
    const { line, checkup } = setup()
    await line.run('step', undefined, () => Promise.reject(error))
    assert.deepEqual([checkup.reports[0]?.result, checkup.reports[0]?.advice], [result, advice])
  })
