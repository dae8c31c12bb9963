import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { openHttpInvoker } from '../../../src/adapters/invoker/http.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import type { HttpTarget } from '../../../src/ports/functions.ts'
import type { Invoker } from '../../../src/ports/invoker.ts'
import { anEvent, aRequest, invokerContract, textOf } from '../../contracts/invoker.ts'
import { ScriptedFunction } from './scripted-function.ts'

async function setup(more: Partial<HttpTarget> = {}) {
  const double = await ScriptedFunction.open()
  const opened: Invoker[] = []
  const open = (overrides: Partial<HttpTarget> = {}) => {
    const invoker = openHttpInvoker(double.target({ ...more, ...overrides }), { clock: systemClock })
    opened.push(invoker)
    return invoker
  }
  return {
    double,
    invoker: open(),
    open,
    impatient: (timeoutMs: number) => open({ timeoutMs }),
    begun: async () => void (await once(double, 'hang')),
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map(invoker => invoker.close()))
      await double[Symbol.asyncDispose]()
    }
  }
}

const anything = () => anEvent({ do: 'return', value: null })

invokerContract(
  'over HTTP',
  {
    broken: 'unavailable',
    failedContext: { statusCode: 200, executedVersion: '7', functionError: 'Unhandled' },
    deeds: [
      'slow',
      'late',
      'cut',
      'return',
      'digest',
      'empty',
      'fail',
      'throttle',
      'unavailable',
      'refuse-size',
      'hang',
      'drip',
      'long',
      'break'
    ]
  },
  () => setup()
)

test('a call carries its names, its deadline, and the headers of the target', async () => {
  await using world = await setup({ headers: { 'x-api-key': 'k', 'Content-Type': 'application/cloudevents+json' } })
  const before = Date.now()
  await world.invoker.invoke(anything(), aRequest({ requestId: 'r-1', mapping: 'm-1', qualifier: 'live' }))
  const [call] = world.double.calls
  assert.equal(call?.url, '/orders')
  assert.equal(call?.headers['x-millrace-request-id'], 'r-1')
  assert.equal(call?.headers['x-millrace-mapping'], 'm-1')
  assert.equal(call?.headers['x-millrace-qualifier'], 'live')
  assert.equal(call?.headers['x-api-key'], 'k')
  assert.equal(call?.headers['content-type'], 'application/cloudevents+json')
  const deadline = Number(call?.headers['x-millrace-deadline-ms'])
  assert.ok(deadline >= before + 10_000 && deadline <= Date.now() + 10_000, `deadline ${deadline}`)
})

test('a direct call names no mapping and no qualifier, and says that it is JSON', async () => {
  await using world = await setup()
  await world.invoker.invoke(anything(), aRequest())
  const headers = world.double.calls[0]?.headers ?? {}
  assert.deepEqual([headers['x-millrace-mapping'], headers['x-millrace-qualifier']], [undefined, undefined])
  assert.equal(headers['content-type'], 'application/json')
})

test('user and password of the URL are sent as basic authentication and shown nowhere', async () => {
  await using world = await setup()
  const url = `http://me:s%40cret@${world.double.host}/orders?key=hidden`
  await world.open({ url }).invoke(anything(), aRequest())
  assert.equal(world.double.calls[0]?.headers.authorization, `Basic ${Buffer.from('me:s@cret').toString('base64')}`)
  world.double.answerNext(response => response.destroy())
  const reply = await world.open({ url }).invoke(anything(), aRequest())
  assert.equal(reply.kind, 'unavailable')
  assert.match(reply.message, new RegExp(world.double.host))
  assert.doesNotMatch(reply.message, /s@cret|s%40cret|me:|hidden/)
})

for (const [title, status, headers, kind] of [
  ['429', 429, {}, 'throttled'],
  ['503 with retry-after', 503, { 'retry-after': '1' }, 'throttled'],
  ['503 without', 503, {}, 'unavailable'],
  ['502', 502, {}, 'unavailable'],
  ['504', 504, {}, 'unavailable'],
  ['413', 413, {}, 'too-large'],
  ['400', 400, {}, 'function-error'],
  ['404', 404, {}, 'function-error'],
  ['500', 500, {}, 'function-error'],
  ['a redirect', 301, { location: '/elsewhere' }, 'function-error'],
  ['202', 202, {}, 'returned'],
  ['429 with a function error', 429, { 'x-amz-function-error': 'Unhandled' }, 'throttled'],
  ['500 with a function error', 500, { 'x-amz-function-error': 'Unhandled' }, 'function-error']
] as const) {
  test(`${title} is ${kind}`, async () => {
    await using world = await setup()
    world.double.answerNext(response => void response.writeHead(status, headers).end('why'))
    const reply = await world.invoker.invoke(anything(), aRequest())
    assert.equal(reply.kind, kind)
  })
}

test('a status that means a function error is named with what was said', async () => {
  await using world = await setup()
  world.double.answerNext(response => void response.writeHead(500).end('the disk is full'))
  const reply = await world.invoker.invoke(anything(), aRequest())
  assert.ok(reply.kind === 'function-error')
  assert.equal(reply.errorType, 'Http.500')
  assert.equal(reply.errorMessage, `${world.double.host} answered 500 Internal Server Error: the disk is full`)
})

for (const [title, retryAfter, low, high] of [
  ['seconds', '3', 3_000, 3_000],
  ['a date', new Date(Date.now() + 60_000).toUTCString(), 50_000, 60_000],
  ['a date that has gone', new Date(Date.now() - 60_000).toUTCString(), 0, 0],
  ['a year', '31536000', 900_000, 900_000]
] as const) {
  test(`retry-after may be ${title}`, async () => {
    await using world = await setup()
    world.double.answerNext(response => void response.writeHead(429, { 'retry-after': retryAfter }).end())
    const reply = await world.invoker.invoke(anything(), aRequest())
    assert.ok(reply.kind === 'throttled' && reply.retryAfterMs !== undefined)
    assert.ok(reply.retryAfterMs >= low && reply.retryAfterMs <= high, String(reply.retryAfterMs))
  })
}

test('a retry-after that says nothing leaves the wait to us', async () => {
  await using world = await setup()
  world.double.answerNext(response => void response.writeHead(503, { 'retry-after': 'soon' }).end())
  const reply = await world.invoker.invoke(anything(), aRequest())
  assert.ok(reply.kind === 'throttled')
  assert.equal(reply.retryAfterMs, undefined)
})

for (const body of ['', 'not JSON', '[1]', 'null', '{"errorType":5}', '{"errorMessage":{}}']) {
  test(`a function error with body ${JSON.stringify(body)} is quoted as it came`, async () => {
    await using world = await setup()
    world.double.answerNext(response => void response.writeHead(200, { 'x-amz-function-error': 'Handled' }).end(body))
    const reply = await world.invoker.invoke(anything(), aRequest())
    assert.ok(reply.kind === 'function-error')
    assert.deepEqual([reply.errorType, reply.errorMessage, textOf(reply)], ['Handled', body, body])
  })
}

test('a long error message is cut, its payload is not', async () => {
  await using world = await setup()
  const reply = await world.invoker.invoke(
    anEvent({ do: 'fail', errorType: 'Wordy', errorMessage: 'x'.repeat(100_000) }),
    aRequest()
  )
  assert.ok(reply.kind === 'function-error')
  assert.equal(reply.errorMessage.length, 2_048)
  assert.ok(reply.payload.byteLength > 100_000)
})

test('the executed version is handed on', async () => {
  await using world = await setup()
  world.double.answerNext(response => void response.writeHead(200, { 'x-amz-executed-version': '7' }).end('1'))
  const reply = await world.invoker.invoke(anything(), aRequest())
  assert.ok(reply.kind === 'returned')
  assert.equal(reply.executedVersion, '7')
})

test('the end of the log is asked for when it is wanted, and handed on when it is one', async () => {
  await using world = await setup()
  const asked: (string | undefined)[] = []
  const invoke = async (logResult: string, logTail: boolean) => {
    world.double.answerNext(response => {
      asked.push(response.req.headers['x-amz-log-type'] as string | undefined)
      response.writeHead(200, { 'x-amz-log-result': logResult }).end('1')
    })
    const reply = await world.invoker.invoke(anything(), aRequest({ logTail }))
    assert.ok(reply.kind === 'returned')
    return reply.logResult
  }
  assert.deepEqual([await invoke('bG9n', true), await invoke('no base64', false)], ['bG9n', undefined])
  assert.deepEqual(asked, ['Tail', undefined])
})

test('a refused connection is unavailable and names the host', async () => {
  await using world = await setup()
  const { host } = world.double
  await world.double.close()
  const reply = await world.invoker.invoke(anything(), aRequest())
  assert.deepEqual(reply, {
    kind: 'unavailable',
    message: `cannot reach the function at ${host}: connection refused (ECONNREFUSED)`
  })
})

test('a host name that is none is unavailable', async () => {
  await using world = await setup()
  const reply = await world.open({ url: 'http://no-such-host.invalid/' }).invoke(anything(), aRequest())
  assert.ok(reply.kind === 'unavailable')
  assert.match(reply.message, /no-such-host\.invalid: .*(ENOTFOUND|EAI_AGAIN)/)
})

test('a header that HTTP forbids is no exception either', async () => {
  await using world = await setup()
  const reply = await world.open({ headers: { 'transfer-encoding': 'chunked' } }).invoke(anything(), aRequest())
  assert.equal(reply.kind, 'unavailable')
})

for (const [title, bytes] of [
  ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n'],
  ['an upgrade nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab']
] as const) {
  test(`a server that speaks ${title} is unavailable`, async () => {
    await using world = await setup()
    const server = net.createServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write(bytes))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const reply = await world.open({ url }).invoke(anything(), aRequest())
    server.close()
    assert.equal(reply.kind, 'unavailable')
  })
}

test('a kept connection that the server closes on reuse is unavailable, not a function error', async () => {
  await using world = await setup()
  await world.invoker.invoke(anything(), aRequest())
  world.double.answerNext(response => response.destroy())
  const reply = await world.invoker.invoke(anything(), aRequest())
  assert.equal(reply.kind, 'unavailable')
})

test('announcements before the answer are not the answer', async () => {
  await using world = await setup()
  world.double.answerNext(response => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => void response.writeHead(200).end('"late"'))
  })
  assert.equal(textOf(await world.invoker.invoke(anything(), aRequest())), '"late"')
})

test('a call that is cut takes its connection with it', async () => {
  await using world = await setup()
  const cut = new AbortController()
  const calls = [0, 1, 2].map(() => world.invoker.invoke(anEvent({ do: 'hang' }), aRequest({ signal: cut.signal })))
  while (world.double.calls.length < 3) await world.begun()
  const closed = [...world.double.sockets].map(socket => once(socket, 'close'))
  cut.abort()
  await Promise.all(calls)
  await Promise.all(closed)
  assert.equal(closed.length, 3)
})

test('a call that never got a connection was not sent: unavailable, and nothing of it is sent later', async () => {
  await using world = await setup()
  const timers: (() => void)[] = []
  const clock = { ...systemClock, after: (_delayMs: number, run: () => void) => (timers.push(run), () => {}) }
  const invoker = openHttpInvoker(world.double.target({ timeoutMs: 300 }), { connections: 1, clock })
  const cut = new AbortController()
  const first = invoker.invoke(anEvent({ do: 'hang' }), aRequest({ signal: cut.signal }))
  await world.begun()
  const second = invoker.invoke(anything(), aRequest())
  timers[1]?.()
  const message = `no free connection to the function at ${world.double.host} within 300 ms`
  assert.deepEqual(await second, { kind: 'unavailable', message })
  cut.abort()
  assert.deepEqual(await first, { kind: 'aborted' })
  assert.equal((await invoker.invoke(anything(), aRequest())).kind, 'returned')
  assert.equal(world.double.calls.length, 2)
  await invoker.close()
})

test('calls use kept connections, no more than allowed', async () => {
  await using world = await setup()
  const invoker = openHttpInvoker(world.double.target(), { connections: 2, clock: systemClock })
  await Promise.all(Array.from({ length: 20 }, () => invoker.invoke(anything(), aRequest())))
  assert.equal(world.double.calls.length, 20)
  assert.ok(world.double.sockets.size <= 2, `${world.double.sockets.size} connections`)
  await invoker.close()
})

test('a call carries its trace: that of its request id', async () => {
  await using world = await setup()
  const request = aRequest({ requestId: '316aa6d0-1111-4222-8333-444455556666' })
  for (let call = 0; call < 2; call++) await world.invoker.invoke(anything(), request)
  const [first, second] = world.double.calls.map(({ headers }) => String(headers['traceparent']))
  assert.match(first!, /^00-316aa6d0111142228333444455556666-[0-9a-f]{16}-01$/)
  assert.notEqual(first, second, 'each call is a span of its own')
})

test('a call hands on its caller’s trace, in X-Ray’s words and W3C’s, and the client context', async () => {
  await using world = await setup()
  const trace = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0'
  await world.invoker.invoke(anything(), aRequest({ trace, clientContext: 'e30=' }))
  const { headers } = world.double.calls[0]!
  assert.deepEqual(
    [headers['x-amzn-trace-id'], headers['traceparent'], headers['x-amz-client-context']],
    [trace, '00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00', 'e30=']
  )
})
