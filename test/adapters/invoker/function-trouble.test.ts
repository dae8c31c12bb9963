import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import type { InvokeRequest } from '../../../src/ports/invoker.ts'
import { textOf } from '../../contracts/invoker.ts'
import { eventually } from '../../support/poll.ts'
import { fixtures, hosting, isRunning } from './hosted.ts'

/** The machine's clock, but a wait of `fromMs` takes `toMs`. */
const hastened = (fromMs: number, toMs: number) => ({
  ...systemClock,
  after: (delayMs: number, run: () => void) => systemClock.after(delayMs === fromMs ? toMs : delayMs, run)
})

async function ends(pids: readonly number[]): Promise<void> {
  for (const pid of pids) await eventually(() => !isRunning(pid), { describe: `process ${pid} ends` })
}

test('a start that hangs is ended after ten seconds, and its caller is told', async () => {
  const functions = [{ name: 'fn', handler: 'hangs-at-start.handler', timeoutSeconds: 20 }]
  await using world = await hosting(functions, { clock: hastened(10_000, 400) })
  const reply = await world.call('fn', {}, { requestId: 'r-1' })
  assert.ok(reply.kind === 'function-error', JSON.stringify(reply))
  assert.equal(reply.errorType, 'Sandbox.Timedout')
  assert.match(reply.errorMessage, /^RequestId: r-1 Error: the runtime did not ask for work within 10\.00 seconds$/)
  assert.equal((await world.events.nth('start-failed')).errorType, 'Sandbox.Timedout')
  await ends([(await world.events.nth('started')).pid])
})

test('a function that crashes whenever it starts is started ever less often, and heals', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'millrace-'))
  const READY = path.join(directory, 'ready')
  await using world = await hosting([{ name: 'fn', handler: 'flaky-start.handler', environment: { READY } }])
  const waits: unknown[] = []
  while (waits.length < 4) {
    const reply = await world.call('fn')
    assert.ok(reply.kind === 'function-error')
    assert.equal(reply.errorType, 'Runtime.ExitError')
    waits.length = 0
    for (const { message, fields } of world.log.lines) {
      if (message === 'the function cannot be started') waits.push(fields['waitMs'])
    }
  }
  assert.deepEqual(waits, [0, 200, 400, 800])
  writeFileSync(READY, '')
  assert.equal(textOf(await world.call('fn')), '"ready"')
  rmSync(directory, { recursive: true })
})

test('a crash and a timeout stand in the log and the call’s own log as on Lambda', async () => {
  const functions = ['exiting', 'hanging'].map(name => ({ name, handler: `styles.${name}`, timeoutSeconds: 1 }))
  await using world = await hosting(functions)
  await world.call('exiting', {}, { requestId: 'r-1' })
  const error = 'RequestId: r-1 Error: Runtime exited with error: exit status 1'
  const crash = await world.log.line(({ fields, level }) => fields['requestId'] === 'r-1' && level === 'error')
  assert.equal(crash.message, `${error}\nRuntime.ExitError`)
  const reply = await world.call('hanging', {}, { requestId: 'r-2', logTail: true })
  assert.ok(reply.kind === 'function-error')
  assert.equal(reply.errorMessage, 'RequestId: r-2 Error: Task timed out after 1.00 seconds')
  const late = await world.log.line(({ fields, level }) => fields['requestId'] === 'r-2' && level === 'error')
  assert.match(late.message, /^\d{4}-\d\d-\d\dT[\d:.]+Z r-2 Task timed out after 1\.00 seconds$/)
  const tail = Buffer.from(reply.logResult ?? '', 'base64').toString()
  assert.ok(tail.includes(`${late.message}\nEND RequestId: r-2\n`), tail)
  const [exited, timedOut] = world.events.of('crashed')
  assert.deepEqual([exited?.errorType, exited?.errorMessage], ['Runtime.ExitError', error])
  assert.deepEqual([timedOut?.errorType, timedOut?.requestId], ['Sandbox.Timedout', 'r-2'])
})

for (const bytes of [10, 5_000_000]) {
  test(`what is thrown when an answer of ${bytes} bytes is on its way ends the process, and the answer stands`, async () => {
    await using world = await hosting([{ name: 'fn', handler: 'styles.throwsAfterwards', timeoutSeconds: 20 }])
    for (let call = 1; call <= 3; call++) {
      const reply = await world.call('fn', { bytes })
      assert.equal(textOf(reply).length, bytes + 2)
      await world.events.nth('ended', call)
    }
    assert.equal(world.events.of('crashed').length, 0)
    await world.log.line(({ message }) => message.includes('too late'))
  })
}

test('a stop ends a process that ignores SIGTERM, and all that it started', async () => {
  await using world = await hosting([{ name: 'fn', handler: 'stubborn.handler', timeoutSeconds: 20 }])
  const pids = Object.values(JSON.parse(textOf(await world.call('fn'))) as Record<string, number>)
  assert.equal(pids.length, 4)
  await world.host.stop({ graceMs: 20_000 })
  assert.ok(world.log.lines.some(({ message }) => message === 'not yet'))
  await ends(process.platform === 'linux' ? pids : pids.slice(0, 2))
})

test('a timeout ends a process that ignores SIGTERM, and what left its group', async () => {
  await using world = await hosting([{ name: 'fn', handler: 'stubborn.hanging', timeoutSeconds: 1 }])
  const reply = await world.call('fn')
  assert.equal(reply.kind, 'function-error')
  const line = await world.log.line(({ message }) => message.startsWith('pids '))
  const pids = line.message.split(' ').slice(1).map(Number)
  await ends(process.platform === 'linux' ? pids : pids.slice(0, 2))
})

test('a process without calls for a while is ended; the next call starts another', async () => {
  const functions = [{ name: 'fn', handler: 'stubborn.handler', timeoutSeconds: 20 }]
  await using world = await hosting(functions, { idleMs: 200 })
  const first = JSON.parse(textOf(await world.call('fn'))) as Record<string, number>
  await world.events.nth('ended')
  await ends(process.platform === 'linux' ? Object.values(first) : [first['own'] ?? 0])
  const second = JSON.parse(textOf(await world.call('fn'))) as Record<string, number>
  assert.notEqual(second['own'], first['own'])
  assert.ok(!world.log.lines.some(({ message }) => message === 'a process of the function has ended'))
})

test('when Millrace is killed, nothing that a function started is left, in its group or out of it', async t => {
  const parent = spawn(process.execPath, [path.join(fixtures, 'parent.ts'), 'stubborn.hanging'], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.after(() => parent.kill('SIGKILL'))
  const [line] = (await once(createInterface(parent.stdout), 'line')) as [string]
  const [own = 0, child = 0, daemon = 0, hidden = 0, idle = 0] = line.split(' ').slice(1).map(Number)
  const pids = [own, child, daemon, hidden, idle]
  for (const pid of pids) assert.ok(isRunning(pid), `process ${pid} runs`)
  parent.kill('SIGKILL')
  await ends(process.platform === 'linux' ? pids : [own, child, idle])
})

test('a call’s trace is handed to the function: X-Ray’s own, or W3C’s in X-Ray’s words', async () => {
  await using world = await hosting([{ name: 'fn', handler: 'styles.contextual' }])
  const { url, headers } = world.host.target('fn')
  const traceOf = async (header: string, value: string): Promise<unknown> => {
    const response = await fetch(url, { method: 'POST', headers: { ...headers, [header]: value }, body: '{}' })
    return ((await response.json()) as Record<string, unknown>)['traceId']
  }
  const xray = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'
  assert.equal(await traceOf('x-amzn-trace-id', xray), xray)
  const w3c = '00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01'
  assert.equal(await traceOf('traceparent', w3c), xray)
  assert.match(String(await traceOf('traceparent', 'nonsense')), /^Root=1-[\da-f]{8}-[\da-f]{24};Sampled=0$/)
})

for (const handler of ['streaming.handler', 'streaming.default.handler']) {
  test(`a handler that wants to stream is refused in clear words (${handler})`, async () => {
    await using world = await hosting([{ name: 'fn', handler }])
    const reply = await world.call('fn')
    assert.ok(reply.kind === 'function-error')
    assert.equal(reply.errorType, 'Runtime.InvalidStreamingOperation')
    assert.match(reply.errorMessage, /awslambda\.streamifyResponse: response streaming is not supported/)
  })
}

test('a handler beside one that wants to stream is run', async () => {
  await using world = await hosting([{ name: 'fn', handler: 'streaming.plain' }])
  assert.equal(textOf(await world.call('fn')), '"plain"')
})

test('a custom runtime that streams is refused, and lives on', async () => {
  const command = [process.execPath, './custom-runtime.mjs']
  await using world = await hosting([{ name: 'custom', command, timeoutSeconds: 20 }])
  const reply = await world.call('custom', { do: 'stream' })
  assert.ok(reply.kind === 'function-error', JSON.stringify(reply))
  assert.match(reply.errorMessage, /^Response streaming is not supported/)
  assert.equal((await world.call('custom')).kind, 'returned')
  assert.equal(world.events.of('started').length, 1)
})

test('an inspected function takes a debugger, one process, and no time limit', async () => {
  const functions = [{ name: 'fn', handler: 'styles.hanging', timeoutSeconds: 1, concurrency: 3 }]
  await using world = await hosting(functions, { inspect: 0 })
  assert.ok(world.host.target('fn').timeoutMs >= 86_400_000)
  const cut = new AbortController()
  const calls = ['a', 'b'].map(requestId => world.call('fn', {}, { requestId, signal: cut.signal }))
  const line = await world.log.line(({ message }) => message.startsWith('Debugger listening on ws://127.0.0.1:'))
  const port = /:(?<port>\d+)\//.exec(line.message)?.groups?.['port']
  const response = await fetch(`http://127.0.0.1:${port}/json/list`)
  const [target] = (await response.json()) as { type: string; webSocketDebuggerUrl: string }[]
  assert.equal(target?.type, 'node')
  const socket = new WebSocket(target.webSocketDebuggerUrl)
  await once(socket, 'open')
  socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: 'process.env._HANDLER' } }))
  const [{ data }] = (await once(socket, 'message')) as [{ data: string }]
  const { result } = JSON.parse(data) as { result: { result: { value: unknown } } }
  assert.equal(result.result.value, 'styles.hanging')
  socket.close()
  assert.equal(world.events.of('started').length, 1)
  cut.abort()
  for (const reply of await Promise.all(calls)) assert.equal(reply.kind, 'aborted')
})

test('inspected Node functions have ports one after the other; others have none', async () => {
  const port = await freePorts()
  const functions = [
    { name: 'custom', command: [process.execPath, './custom-runtime.mjs'] },
    { name: 'one', handler: 'styles.returning' },
    { name: 'two', handler: 'styles.returning' }
  ]
  await using world = await hosting(functions, { inspect: port })
  for (const { name } of functions) assert.equal((await world.call(name)).kind, 'returned')
  const ports = Object.fromEntries(world.events.of('started').map(event => [event.function, event.inspectPort]))
  assert.deepEqual(ports, { custom: undefined, one: port, two: port + 1 })
})

/** Of two free ports in a row, the first. */
async function freePorts(): Promise<number> {
  for (;;) {
    const servers = [http.createServer(), http.createServer()] as const
    try {
      servers[0].listen(0, '127.0.0.1')
      await once(servers[0], 'listening')
      const { port } = servers[0].address() as { port: number }
      servers[1].listen(port + 1, '127.0.0.1')
      await once(servers[1], 'listening')
      return port
    } catch {
      // The next was taken: other two.
    } finally {
      for (const server of servers) server.close()
    }
  }
}

test('a live picture can be drawn from what is told', async () => {
  await using world = await hosting([{ name: 'fn', handler: 'styles.chatting' }])
  await world.call('fn', 'hello', { requestId: 'r-1' })
  await world.events.nth('line', 2)
  await world.host.stop()
  const { instance = '' } = world.events.of('started')[0] ?? {}
  for (const event of world.events.events)
    assert.deepEqual([event.function, 'instance' in event && event.instance], ['fn', instance])
  assert.deepEqual(
    world.events.events.map(({ kind }) => kind).filter(kind => kind !== 'line'),
    ['started', 'ready', 'called', 'answered', 'ended']
  )
  const lines = world.events.of('line').map(({ requestId, stream, text }) => [requestId, stream, text].join(' '))
  assert.deepEqual(lines.toSorted(), ['r-1 stderr err hello', 'r-1 stdout out hello'])
  const [{ initMs } = { initMs: 0 }] = world.events.of('ready')
  assert.ok(initMs > 1 && initMs < 10_000)
  const [answered] = world.events.of('answered')
  assert.equal(answered?.outcome, 'returned')
})

test('a caller’s client context is in the function’s, whatever characters it has', async () => {
  await using world = await hosting([{ name: 'fn', handler: 'styles.contextual' }])
  const context = { client: { app_title: 'Süß ☕' }, custom: { line: 'a\nb' } }
  const clientContext = Buffer.from(JSON.stringify(context)).toString('base64')
  const seen = async (more: Partial<InvokeRequest>): Promise<unknown> =>
    (JSON.parse(textOf(await world.call('fn', {}, more))) as Record<string, unknown>)['clientContext']
  assert.deepEqual(await seen({ clientContext }), context)
  assert.equal(await seen({}), undefined)
})
