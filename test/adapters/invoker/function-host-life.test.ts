import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { FunctionHost } from '../../../src/adapters/invoker/function-host.ts'
import { eventually } from '../../support/poll.ts'
import { textOf } from '../../contracts/invoker.ts'
import { fixtures, hosting, isRunning, LogBook, type SomeFunction } from './hosted.ts'

/** Functions that answer when their file is there: the test decides when a call ends. */
async function gated(more: Partial<SomeFunction> = {}) {
  const directory = mkdtempSync(path.join(tmpdir(), 'millrace-'))
  const world = await hosting([{ name: 'gated', handler: 'styles.untilFile', timeoutSeconds: 20, ...more }])
  const begun = () =>
    world.log.lines.filter(({ message }) => message === 'begun').map(({ fields }) => fields['requestId'])
  return {
    ...world,
    directory,
    begun,
    call: (name: string) => world.call('gated', path.join(directory, name), { requestId: name }),
    hasBegun: (name: string) =>
      world.log.line(({ message, fields }) => message === 'begun' && fields['requestId'] === name),
    finish: (name: string) => writeFileSync(path.join(directory, name), ''),
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true })
    }
  }
}

test('a concurrency of two runs two calls at once and the third after one of them', async () => {
  await using world = await gated({ concurrency: 2 })
  const replies = ['a', 'b', 'c'].map(name => world.call(name))
  await Promise.all([world.hasBegun('a'), world.hasBegun('b')])
  assert.deepEqual(new Set(world.begun()), new Set(['a', 'b']))
  world.finish('a')
  await replies[0]
  await world.hasBegun('c')
  world.finish('b')
  world.finish('c')
  for (const reply of await Promise.all(replies)) assert.equal(textOf(reply), '"seen"')
})

test('calls that wait are run in the order they came', async () => {
  await using world = await gated()
  const { url, headers } = world.host.target('gated')
  const { port, pathname } = new URL(url)
  // One connection, all written at once: the order in which they come is certain.
  const socket = net.connect(Number(port), '127.0.0.1')
  const names = ['a', 'b', 'c', 'd']
  for (const name of names) {
    const event = JSON.stringify(path.join(world.directory, name))
    socket.write(
      `POST ${pathname} HTTP/1.1\r\nhost: x\r\nx-millrace-token: ${headers['x-millrace-token']}\r\n` +
        `x-millrace-request-id: ${name}\r\ncontent-length: ${event.length}\r\n\r\n${event}`
    )
  }
  for (const name of names) {
    await world.hasBegun(name)
    world.finish(name)
  }
  socket.destroy()
  assert.deepEqual(world.begun(), names)
})

test('a call that finds no process in its time is throttled: it did not run', async () => {
  await using world = await gated()
  const first = world.call('a')
  await world.hasBegun('a')
  const patient = world.host.target('gated').timeoutMs
  assert.ok(patient >= 30_000)
  const reply = await world.open('gated', { timeoutMs: 20_600 }).invoke(Buffer.from('"b"'), {
    requestId: 'b',
    signal: AbortSignal.timeout(30_000)
  })
  assert.ok(reply.kind === 'throttled', JSON.stringify(reply))
  assert.equal(reply.retryAfterMs, 1_000)
  world.finish('a')
  assert.equal((await first).kind, 'returned')
  assert.deepEqual(world.begun(), ['a'])
})

test('a caller that leaves before its turn is not run', async () => {
  await using world = await gated()
  const first = world.call('a')
  await world.hasBegun('a')
  const cut = new AbortController()
  const second = world.open('gated').invoke(Buffer.from('"b"'), { requestId: 'b', signal: cut.signal })
  const third = world.call('c')
  cut.abort()
  assert.equal((await second).kind, 'aborted')
  world.finish('a')
  world.finish('c')
  assert.deepEqual([(await first).kind, (await third).kind], ['returned', 'returned'])
  assert.deepEqual(world.begun(), ['a', 'c'])
})

test('a process that ends between calls is replaced when one comes', async () => {
  await using world = await hosting([{ name: 'pid', handler: 'styles.pid' }])
  const first = Number(textOf(await world.call('pid')))
  assert.equal(Number(textOf(await world.call('pid'))), first)
  process.kill(first, 'SIGKILL')
  await world.log.line(({ message }) => message === 'a process of the function has ended')
  assert.notEqual(Number(textOf(await world.call('pid'))), first)
})

test('a timeout ends what the function started as well', async () => {
  await using world = await hosting([{ name: 'busy', handler: 'styles.withChild', timeoutSeconds: 1 }])
  const reply = await world.call('busy')
  assert.equal(reply.kind, 'function-error')
  const line = await world.log.line(({ message }) => message.startsWith('pids '))
  for (const pid of line.message.split(' ').slice(1).map(Number)) {
    await eventually(() => !isRunning(pid), { describe: `process ${pid} ends` })
  }
})

test('a stop lets the call in flight end and takes no other', async () => {
  await using world = await gated()
  const target = world.host.target('gated')
  const running = world.call('a')
  await world.hasBegun('a')
  const waiting = world.call('b')
  const stopped = world.host.stop({ graceMs: 20_000 })
  assert.equal((await waiting).kind, 'unavailable')
  world.finish('a')
  assert.equal(textOf(await running), '"seen"')
  await stopped
  assert.throws(() => world.host.target('gated'), /does not run/)
  assert.equal(target.kind, 'http')
})

test('a second stop without grace ends the first, and the call was not the function’s failure', async () => {
  await using world = await gated()
  const running = world.call('a')
  await world.hasBegun('a')
  const first = world.host.stop({ graceMs: 600_000 })
  await world.host.stop({ graceMs: 0 })
  await first
  assert.equal((await running).kind, 'unavailable')
})

test('a host starts and stops in any order, and works after', async () => {
  const log = new LogBook()
  const functions = [{ name: 'pid', handler: 'styles.pid', baseDir: fixtures }]
  const open = () =>
    new FunctionHost({ functions, region: 'us-east-1', accountId: '000000000000', log, clock: systemClock })
  await open().stop()
  const host = open()
  await host.start()
  await Promise.all([host.stop(), host.stop()])
  await Promise.all([host.start(), host.stop(), host.start(), host.stop()])
  await host.start()
  assert.equal(host.target('pid').kind, 'http')
  await host[Symbol.asyncDispose]()
})

test('when the process of Millrace is killed, no process of a function is left, busy or idle', async t => {
  const parent = spawn(process.execPath, [path.join(fixtures, 'parent.ts')], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => parent.kill('SIGKILL'))
  const [line] = (await once(createInterface(parent.stdout), 'line')) as [string]
  const pids = line.split(' ').slice(1).map(Number)
  assert.equal(pids.length, 3)
  for (const pid of pids) assert.ok(isRunning(pid), `process ${pid} runs`)
  parent.kill('SIGKILL')
  for (const pid of pids) await eventually(() => !isRunning(pid), { describe: `process ${pid} ends` })
})

test('a Node runtime ends by itself when the host’s end of its pipe closes', async t => {
  const server = http.createServer() // holds `next` for ever
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const asked = once(server, 'request')
  const env = { LAMBDA_TASK_ROOT: fixtures, _HANDLER: 'styles.pid', AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}` }
  const bootstrap = path.resolve(fixtures, '../../../src/adapters/invoker/node-bootstrap.ts')
  const stdio = ['ignore', 'inherit', 'inherit', 'pipe'] as const
  const child = spawn(process.execPath, [bootstrap], { env, stdio: [...stdio], detached: true })
  t.after(() => {
    child.kill('SIGKILL')
    server.closeAllConnections()
    server.close()
  })
  await asked
  const ended = once(child, 'exit')
  child.stdio[3]?.destroy()
  assert.deepEqual(await ended, [null, 'SIGKILL'])
})

test('a Node runtime takes its next call from what its answer is answered with, and asks for one where there is none', async t => {
  const asked: string[] = []
  const calls = ['a', 'b', 'c']
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      const { method, url = '', headers } = request
      const next = headers['x-millrace-next'] === '1' ? ', then the next' : ''
      asked.push(`${method} ${url.replace('/2018-06-01/runtime/invocation/', '')}${next}`)
      const id = url.endsWith('/b/response') ? undefined : calls.shift()
      // As any other Runtime API answers.
      if (id === undefined && calls.length > 0) response.writeHead(202).end()
      else if (id === undefined) server.emit('done')
      else {
        const told = { 'lambda-runtime-aws-request-id': id, 'lambda-runtime-deadline-ms': Date.now() + 60_000 }
        response.writeHead(200, told).end('{}')
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const done = once(server, 'done')
  const { port } = server.address() as AddressInfo
  const env = { LAMBDA_TASK_ROOT: fixtures, _HANDLER: 'styles.pid', AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}` }
  const bootstrap = path.resolve(fixtures, '../../../src/adapters/invoker/node-bootstrap.ts')
  const child = spawn(process.execPath, [bootstrap], {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    detached: true
  })
  t.after(() => {
    child.kill('SIGKILL')
    server.closeAllConnections()
    server.close()
  })
  await done
  assert.deepEqual(asked, [
    'GET next',
    'POST a/response, then the next',
    'POST b/response, then the next',
    'GET next',
    'POST c/response, then the next'
  ])
})

const custom = { name: 'custom', command: [process.execPath, './custom-runtime.mjs'], timeoutSeconds: 20 }

test('a runtime of any making is run by its command', async () => {
  await using world = await hosting([custom])
  const reply = await world.call('custom', {}, { requestId: 'r-1' })
  assert.deepEqual(JSON.parse(textOf(reply)), { statuses: [], id: 'r-1', handler: 'bootstrap' })
})

test('a runtime that asks for what does not exist is told so, and its call goes on', async () => {
  await using world = await hosting([custom])
  const reply = await world.call('custom', { do: 'misbehave' }, { requestId: 'r-1' })
  assert.deepEqual((JSON.parse(textOf(reply)) as { statuses: unknown }).statuses, [403, 400, 404, 404])
})

test('the first of two answers counts', async () => {
  await using world = await hosting([custom])
  for (const requestId of ['r-1', 'r-2']) {
    const reply = await world.call('custom', { do: 'twice' }, { requestId })
    assert.equal((JSON.parse(textOf(reply)) as { id: string }).id, requestId)
  }
})

test('an answer that is no JSON is handed on as it came; an error that is none is quoted', async () => {
  await using world = await hosting([custom])
  assert.equal(textOf(await world.call('custom', { do: 'garbage' })), '<html>\u0000')
  const reply = await world.call('custom', { do: 'garbage error' })
  assert.ok(reply.kind === 'function-error')
  assert.deepEqual([reply.errorType, reply.errorMessage], ['Unhandled', '<html>'])
})
