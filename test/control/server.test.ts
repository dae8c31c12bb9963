import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { anyCredentials } from '../../src/control/authenticator.ts'
import { AdminServer } from '../../src/control/admin-server.ts'
import type { InvokeReply } from '../../src/core/retry/reply.ts'
import type { Service } from '../../src/ports/service.ts'
import { functionArn, openControlWorld } from './control-world.ts'
import type { ControlWorld } from './control-world.ts'

const collection = '/2015-03-31/event-source-mappings'
const body = JSON.stringify({
  FunctionName: 'f',
  SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:1000'] } },
  Topics: ['topic'],
  SomethingNew: { deep: [1] }
})

const openWorld = async (overrides = {}): Promise<ControlWorld> =>
  openControlWorld({ authenticator: anyCredentials(), ...overrides })

interface RawAnswer {
  readonly status: number
  readonly type: string | undefined
  readonly body: Record<string, unknown>
}

async function send(world: ControlWorld, method: string, path: string, text?: string): Promise<RawAnswer> {
  const response = await fetch(world.server.url + path, text === undefined ? { method } : { method, body: text })
  const answer = await response.text()
  return {
    status: response.status,
    type: response.headers.get('x-amzn-errortype') ?? undefined,
    body: answer === '' ? {} : (JSON.parse(answer) as Record<string, unknown>)
  }
}

/** Sends bytes as they are and gives back all that comes until the server closes. */
async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.end(text)
  let answer = ''
  socket.on('data', chunk => (answer += chunk.toString()))
  await once(socket, 'close')
  return answer
}

test('the collection answers with and without a trailing slash; unknown members are ignored', async () => {
  await using world = await openWorld()
  const made = await send(world, 'POST', `${collection}/`, body)
  assert.deepEqual([made.status, made.body['State'], made.body['SomethingNew']], [202, 'Creating', undefined])
  const listed = await send(world, 'GET', collection)
  assert.deepEqual([listed.status, listed.body['NextMarker']], [200, undefined])
  assert.deepEqual(await send(world, 'GET', `${collection}/`), listed)
})

test('times are numbers of seconds, and what is not set is not in the JSON', async () => {
  await using world = await openWorld()
  const { body: made } = await send(world, 'POST', collection, body)
  assert.equal(typeof made['LastModified'], 'number')
  assert.ok(Number(made['LastModified']) < 10_000_000_000)
  assert.deepEqual(Object.keys(made).toSorted(), [
    'BatchSize',
    'EventSourceMappingArn',
    'FunctionArn',
    'LastModified',
    'LastProcessingResult',
    'SelfManagedEventSource',
    'SelfManagedKafkaEventSourceConfig',
    'StartingPosition',
    'State',
    'StateTransitionReason',
    'Topics',
    'UUID'
  ])
})

test('errors have AWS’s body, letter for letter', async () => {
  await using world = await openWorld()
  await send(world, 'POST', collection, body)
  assert.deepEqual(await send(world, 'POST', collection, '{"FunctionName":"f"}'), {
    status: 400,
    type: 'InvalidParameterValueException',
    body: { Type: 'User', message: 'Unrecognized event source.' }
  })
  assert.deepEqual(await send(world, 'GET', `${collection}/x`), {
    status: 404,
    type: 'ResourceNotFoundException',
    body: { Type: 'User', Message: 'The resource you requested does not exist.' }
  })
  assert.deepEqual(await send(world, 'POST', collection, '{}'), {
    status: 400,
    type: 'ValidationException',
    body: {
      message:
        "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null"
    }
  })
  assert.deepEqual(await send(world, 'POST', collection, '{"FunctionName":5}'), {
    status: 400,
    type: 'SerializationException',
    body: { Message: 'FunctionName must be a string, got 5.' }
  })
  const conflict = await send(world, 'POST', collection, body)
  assert.deepEqual(
    [conflict.status, conflict.type, Object.keys(conflict.body)],
    [409, 'ResourceConflictException', ['Type', 'message']]
  )
})

test('a body that is no JSON, no UTF-8 or no object is refused', async () => {
  await using world = await openWorld()
  for (const text of ['{', '[]', '"x"', 'null', '['.repeat(100_000)]) {
    const { status, type } = await send(world, 'POST', collection, text)
    assert.deepEqual([status, type], [400, 'SerializationException'], text.slice(0, 10))
  }
  const response = await fetch(world.server.url + collection, {
    method: 'POST',
    body: new Uint8Array([0x22, 0xff, 0x22])
  })
  assert.match(await response.text(), /Could not parse request body into json/)
})

test('a body over the limit is refused with a full answer, declared or not', async () => {
  await using world = await openWorld()
  const large = 'x'.repeat(2_000_000)
  const declared = await send(world, 'POST', collection, large)
  assert.deepEqual([declared.status, declared.type], [413, 'RequestTooLargeException'])
  assert.equal(
    declared.body['message'],
    'Request must be smaller than 1048576 bytes for the CreateEventSourceMapping operation'
  )
  const chunked = await fetch(world.server.url + collection, {
    method: 'POST',
    body: new Blob([large]).stream(),
    duplex: 'half'
  })
  assert.equal(chunked.status, 413)
  // The server is none the worse.
  assert.equal((await send(world, 'POST', collection, body)).status, 202)
})

test('paths that are nobody’s, and escapes that are broken, are said so', async () => {
  await using world = await openWorld()
  const unknown = await send(world, 'PATCH', `${collection}/x`)
  assert.deepEqual(
    [unknown.status, unknown.type, unknown.body['message']],
    [404, 'UnknownOperationException', `Millrace has no operation for PATCH ${collection}/x.`]
  )
  assert.equal((await send(world, 'GET', `${collection}/%E0%A4%A`)).status, 404)
  assert.equal((await send(world, 'GET', `${collection}?Marker=%zz`)).type, 'InvalidRequestException')
  assert.equal((await send(world, 'GET', `${collection}?MaxItems=ten`)).type, 'SerializationException')
  assert.equal((await send(world, 'GET', `${collection}?MaxItems=0`)).type, 'ValidationException')
})

test('an unsigned request is refused before its body is read', async () => {
  await using world = await openControlWorld()
  const answer = await sendRaw(
    world.server.port,
    `POST ${collection} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n`
  )
  assert.match(answer, /^HTTP\/1.1 403 /)
  assert.match(answer, /x-amzn-errortype: MissingAuthenticationTokenException/i)
  assert.match(answer, /\{"message":"Missing Authentication Token"\}/)
})

test('an unsigned request to a path that is nobody’s learns nothing', async () => {
  await using world = await openControlWorld()
  assert.equal((await send(world, 'GET', '/anything')).type, 'MissingAuthenticationTokenException')
})

test('a server that takes any credentials takes none from a web page', async () => {
  await using world = await openWorld()
  const answer = await sendRaw(
    world.server.port,
    `GET ${collection} HTTP/1.1\r\nhost: x\r\norigin: http://evil.example\r\nconnection: close\r\n\r\n`
  )
  assert.match(answer, /^HTTP\/1.1 403 /)
  assert.match(answer, /none from web pages \(Origin http:\/\/evil.example\)/)
})

test('what is no HTTP is told so, and the server goes on', async () => {
  await using world = await openWorld()
  assert.match(await sendRaw(world.server.port, 'what?\r\n\r\n'), /^HTTP\/1.1 400 [\s\S]*Malformed request/)
  const headers = `GET / HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(20_000)}\r\n`
  assert.match(await sendRaw(world.server.port, headers), /^HTTP\/1.1 431 /)
  assert.equal((await send(world, 'GET', collection)).status, 200)
})

test('a fault of ours is a 500 that names its log entry and tells nothing else', async () => {
  await using world = await openWorld()
  world.store.get = async () => {
    throw new TypeError('secret detail')
  }
  const response = await fetch(`${world.server.url}${collection}/x`)
  const requestId = response.headers.get('x-amzn-requestid')
  assert.deepEqual(
    [response.status, await response.json()],
    [500, { Type: 'Service', Message: `An internal error occurred. See the log entry ${requestId}.` }]
  )
  const line = world.log.lines.find(entry => entry.level === 'error')
  assert.equal(line?.fields['requestId'], requestId)
  assert.match(String(line?.fields['err']), /secret detail/)
})

test('a port that is taken is named with what to do', async () => {
  await using world = await openWorld()
  const { port } = world.server
  await assert.rejects(openWorld({ listen: { host: '127.0.0.1', port } }), {
    code: 'MILL_LISTEN',
    message: `Cannot listen on 127.0.0.1:${port} (EADDRINUSE): another program has the port: stop it, or set listen to another port`
  })
})

test('stop lets a request end, and takes no new one', async () => {
  const called = Promise.withResolvers<void>()
  const release = Promise.withResolvers<InvokeReply>()
  await using world = await openWorld({
    invoke: async () => {
      called.resolve()
      return release.promise
    }
  })
  const running = send(world, 'POST', '/2015-03-31/functions/f/invocations', '{}')
  await called.promise
  const stopped = world.server.stop({ graceMs: 10_000 })
  await assert.rejects(send(world, 'GET', collection))
  release.resolve({ kind: 'returned', payload: Buffer.from('{"ok":1}') })
  assert.deepEqual((await running).body, { ok: 1 })
  await stopped
})

test('stop ends what does not end by itself', async () => {
  const called = Promise.withResolvers<void>()
  await using world = await openWorld({
    invoke: async () => {
      called.resolve()
      return new Promise<InvokeReply>(() => undefined)
    }
  })
  const running = assert.rejects(send(world, 'POST', '/2015-03-31/functions/f/invocations', '{}'))
  await called.promise
  await world.server.stop({ graceMs: 10 })
  await running
})

async function stressService(open: () => Service): Promise<void> {
  await open().stop()
  const service = open()
  await service.start()
  await Promise.all([service.stop(), service.stop()])
  await Promise.all([service.start(), service.stop(), service.start(), service.stop()])
}

test('the servers can be started and stopped in any order', async () => {
  await using world = await openWorld()
  await stressService(() => new AdminServer({ listen: { host: '127.0.0.1', port: 0 }, ready: async () => notReady }))
  await Promise.all([world.server.stop(), world.server.start(), world.server.stop(), world.server.start()])
  assert.equal((await send(world, 'GET', collection)).status, 200)
})

const notReady = { ok: false, problems: ['the store is closed'] }

test('the admin server tells life, readiness and metrics', async () => {
  await using server = new AdminServer({
    listen: { host: '127.0.0.1', port: 0 },
    ready: async () => notReady,
    metrics: async () => 'up 1\n'
  })
  await server.start()
  const get = async (path: string): Promise<[number, string]> => {
    const response = await fetch(server.url + path)
    return [response.status, await response.text()]
  }
  assert.deepEqual(await get('/healthz'), [200, '{"ok":true}\n'])
  assert.deepEqual(await get('/readyz?x'), [503, '{"ok":false,"problems":["the store is closed"]}\n'])
  assert.deepEqual(await get('/metrics'), [200, 'up 1\n'])
  assert.equal((await get('/nothing'))[0], 404)
  assert.equal((await fetch(`${server.url}/healthz`, { method: 'POST' })).status, 405)
})

test('a readiness check that throws is not ready', async () => {
  await using server = new AdminServer({
    listen: { host: '127.0.0.1', port: 0 },
    ready: async () => {
      throw new Error('no store')
    }
  })
  await server.start()
  const response = await fetch(`${server.url}/readyz`)
  assert.deepEqual([response.status, await response.json()], [503, { ok: false, problems: ['no store'] }])
})

test('a UUID may be written in capitals, and a function in a path by its ARN', async () => {
  await using world = await openWorld()
  const { body: made } = await send(world, 'POST', collection, body)
  assert.equal((await send(world, 'GET', `${collection}/${String(made['UUID']).toUpperCase()}`)).status, 200)
  const path = `/2015-03-31/functions/${encodeURIComponent(functionArn('f'))}/configuration`
  assert.equal((await send(world, 'GET', path)).body['FunctionName'], 'f')
})

test('an answer that HTTP cannot carry ends its connection and nothing else', async () => {
  await using world = await openWorld({
    invoke: async () => ({ kind: 'returned', payload: Buffer.from('{}'), executedVersion: 'a\r\nset-cookie: x' })
  })
  await assert.rejects(send(world, 'POST', '/2015-03-31/functions/f/invocations', '{}'))
  assert.ok(world.log.lines.some(line => line.message === 'an answer could not be written'))
  assert.equal((await send(world, 'GET', collection)).status, 200)
})
