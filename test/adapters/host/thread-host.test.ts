import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { ThreadHost } from '../../../src/adapters/host/thread-host.ts'
import { defaultBackoff } from '../../../src/core/retry/backoff.ts'
import { LoginDesk } from '../../../src/adapters/kafka/security/login-desk.ts'
import { silentLog } from '../../../src/adapters/log/silent.ts'
import type { PollerAssignment, PollerReport } from '../../../src/ports/poller-host.ts'
import { aSpec } from '../../support/mappings.ts'
import { eventually } from '../../support/poll.ts'

function setup(t: TestContext, threads = 1) {
  const host = new ThreadHost({
    entry: new URL('../../fixtures/fake-poller-thread.ts', import.meta.url),
    threads,
    thread: {
      logLevel: 'silent',
      drainMs: 1_000,
      groupProtocol: 'auto',
      groupSessionMs: 45_000,
      groupInstanceId: '',
      clientRack: '',
      strictAws: false,
      backoff: defaultBackoff,
      destinationDir: 'destinations',
      region: 'us-east-1',
      refusedRanges: []
    },
    logins: new LoginDesk(systemClock),
    patienceMs: 100,
    log: silentLog
  })
  t.after(() => host.close())
  return {
    host,
    /** Opens a poller, and what it reports first. */
    open(mapping: string) {
      const { promise: reported, resolve } = Promise.withResolvers<PollerReport>()
      const handle = host.open(assignment(mapping), resolve)
      return { handle, reported }
    },
    /** Opens a poller that takes a turn at credentials, and tells what it heard. */
    login(mapping: string) {
      const heard: string[] = []
      host.open(assignment(mapping), report => {
        if (report.kind === 'result') heard.push(report.text)
      })
      return { hears: (text: string) => eventually(() => heard.includes(text), { describe: text, intervalMs: 5 }) }
    }
  }
}

const assignment = (mapping: string): PollerAssignment => ({
  mapping,
  specVersion: 1,
  spec: aSpec(),
  cluster: { bootstrapServers: ['127.0.0.1:9092'] },
  bootstrapServers: '127.0.0.1:9092',
  target: { kind: 'http', url: 'http://127.0.0.1:1/', headers: {}, timeoutMs: 3_000 },
  budgetBytes: 1
})

test('pollers spread over the threads and share them', async t => {
  const { open } = setup(t, 2)
  const texts = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async mapping => {
      const report = await open(mapping).reported
      return report.kind === 'result' ? report.text : ''
    })
  )
  assert.equal(new Set(texts).size, 2)
})

test('a stopped poller resolves its stop, also the second time', async t => {
  const { open } = setup(t)
  const { handle } = open('a')
  await handle.stop(1_000)
  await handle.stop(1_000)
})

test('a thread that breaks is told to all its pollers, and replaced for the next', async t => {
  const { open } = setup(t)
  const bystander = open('a')
  await bystander.reported
  const report = await open('throws').reported
  assert.deepEqual(report.kind === 'failed' && report.message, 'a poller thread broke: broken on purpose')
  await bystander.handle.stop(1_000)
  assert.equal((await open('b').reported).kind, 'result')
})

test('a poller that does not stop in time is left behind', async t => {
  const { open } = setup(t)
  const { handle, reported } = open('stubborn')
  await reported
  await handle.stop(10)
})

test('threads take turns at the same credentials, and one hears what another was refused', async t => {
  const { login } = setup(t, 2)
  const first = login('wrong login')
  await first.hears('ended: wrong')
  await login('right login').hears('refused: wrong')
})

test('credentials that one thread proved good are good for the next', async t => {
  const { login } = setup(t, 2)
  await login('right login').hears('ended: in')
  await login('right login').hears('ended: in')
})

test('a thread that dies in its turn leaves it to the next', async t => {
  const { login, open } = setup(t, 2)
  const holder = login('holds login')
  await holder.hears('go')
  const waiting = login('right login')
  // Shares the holder's thread.
  await open('throws').reported
  await waiting.hears('ended: in')
})
