import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { anyCredentials } from '../../src/control/authenticator.ts'
import type { ControlServerOptions } from '../../src/control/server.ts'
import { fieldNames, mappingFields } from '../../src/core/mapping/fields.ts'
import type { Field, Shape } from '../../src/core/mapping/fields.ts'
import { openControlWorld } from './control-world.ts'
import type { ControlWorld } from './control-world.ts'

const collection = '/2015-03-31/event-source-mappings'
const valid = {
  FunctionName: 'f',
  SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:1000'] } },
  Topics: ['topic']
}

const openWorld = async (overrides: Partial<ControlServerOptions> = {}): Promise<ControlWorld> =>
  openControlWorld({ authenticator: anyCredentials(), ...overrides })

async function post(world: ControlWorld, body: unknown): Promise<{ status: number; type: string; text: string }> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(world.server.url + collection, { method: 'POST', body: text })
  return { status: response.status, type: response.headers.get('x-amzn-errortype') ?? '', text: await response.text() }
}

/** A connection that says `text` and then no more; gives all that comes until the server hangs up. */
async function say(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', chunk => (answer += chunk.toString()))
  socket.on('error', () => undefined)
  socket.write(text)
  // Not `once`: a reset is an end like any other here.
  await new Promise(resolve => socket.on('close', resolve))
  return answer
}

const stored = async (world: ControlWorld): Promise<number> => (await world.store.list({}, 100)).mappings.length

const wrongFor: Readonly<Record<Shape['type'], readonly unknown[]>> = {
  string: [5, true, [], {}],
  integer: ['5', 1.5, true, [], {}],
  boolean: ['true', 1, []],
  timestamp: [true, [], 'yesterday', 1e300, -1],
  list: ['a', 5, {}, true],
  map: ['a', 5, [], true],
  structure: ['a', 5, [], true]
}

for (const name of fieldNames)
  test(`a value of the wrong type for ${name} is refused by name, and nothing is stored`, async () => {
    await using world = await openWorld()
    const field: Field = mappingFields[name]
    for (const value of wrongFor[field.shape.type]) {
      const { status, type, text } = await post(world, { ...valid, [name]: value })
      assert.deepEqual([status, type], [400, 'SerializationException'], JSON.stringify(value))
      assert.match(text, new RegExp(`^{"Message":"${name} must be `))
    }
    assert.equal(await stored(world), 0)
  })

test('members in the wrong case, or of nobody, are ignored as AWS does, and each is said once', async () => {
  await using world = await openWorld()
  const strange = {
    batchSize: 5,
    Enabledd: false,
    SelfManagedEventSource: { ...valid.SelfManagedEventSource, Topic: 1 }
  }
  const made = await post(world, { ...valid, ...strange })
  assert.equal(made.status, 202)
  const { UUID, BatchSize } = JSON.parse(made.text) as { UUID: string; BatchSize: number }
  assert.equal(BatchSize, 100)
  await post(world, { ...valid, ...strange })
  const change = { method: 'PUT', body: JSON.stringify({ Topics: ['x'] }) }
  await fetch(`${world.server.url}${collection}/${UUID}`, change)
  const told = world.log.lines.filter(line => line.level === 'warn')
  assert.deepEqual(
    told.map(line => [line.fields['operation'], line.fields['member']]),
    [
      ['create', 'SelfManagedEventSource.Topic'],
      ['create', 'batchSize'],
      ['create', 'Enabledd'],
      ['update', 'Topics']
    ]
  )
})

test('names that callers invent do not fill the log', async () => {
  await using world = await openWorld()
  for (let n = 0; n < 30; n++) {
    const invented = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`${'x'.repeat(500)}${n}-${at}`, 1]))
    await post(world, { ...valid, ...invented })
  }
  const told = world.log.lines.filter(line => line.level === 'warn')
  assert.ok(told.length <= 200)
  assert.ok(told.every(line => String(line.fields['member']).length <= 100))
})

test('of a member that comes twice the last counts; one called __proto__ is a member like any other', async () => {
  await using world = await openWorld()
  const text = JSON.stringify({ ...valid, BatchSize: 1 })
  const twice = await post(world, text.replace('"BatchSize":1', '"BatchSize":1,"BatchSize":2'))
  assert.match(twice.text, /"BatchSize":2/)
  const proto = await post(world, text.replace('"topic"', '"other"').replace('{', '{"__proto__":{"Enabled":false},'))
  const { UUID } = JSON.parse(proto.text) as { UUID: string }
  assert.equal((await world.store.get(UUID))?.spec.enabled, true)
})

test('a body that nests without end is refused before it is parsed', async () => {
  await using world = await openWorld()
  for (const open of ['[', '{"a":', '[{"a":']) {
    const { status, type, text } = await post(world, open.repeat(150_000))
    assert.deepEqual([status, type], [400, 'SerializationException'])
    assert.match(text, /it nests deeper than 64/)
  }
  // Brackets in a text are none.
  const tagged = await post(world, { ...valid, Tags: { a: '[{"\\'.repeat(50) } })
  assert.equal(tagged.status, 202)
})

test('ten thousand tags, limits broken ten thousand times: one error of a bounded length, nothing stored', async () => {
  await using world = await openWorld()
  const tags = (value: string) => Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, value]))
  const many = await post(world, { ...valid, Tags: tags('') })
  assert.deepEqual([many.status, many.type], [400, 'InvalidParameterValueException'])
  const long = await post(world, {
    ...valid,
    FilterCriteria: { Filters: Array.from({ length: 10_000 }, () => ({ Pattern: 5 })) }
  })
  assert.equal(long.status, 400)
  const metrics = Array.from({ length: 50_000 }, () => 'x')
  const { status, text } = await post(world, { ...valid, MetricsConfig: { Metrics: metrics } })
  assert.equal(status, 400)
  assert.ok(text.length < 5_000)
  const keyed = Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`k${n}`, 'x'.repeat(257)]))
  const broken = await post(world, { ...valid, Tags: keyed })
  assert.match(broken.text, /^{"message":"3000 validation errors detected: /)
  assert.ok(broken.text.length < 50_000)
  assert.equal(await stored(world), 0)
})

test('a wrong method or path is a 4xx in AWS’s form, whatever the method', async () => {
  await using world = await openWorld()
  for (const method of ['PATCH', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
    const response = await fetch(world.server.url + collection, { method })
    assert.equal(response.status, 404, method)
    assert.deepEqual(await response.json(), { message: `Millrace has no operation for ${method} ${collection}.` })
  }
  assert.equal((await fetch(world.server.url + collection, { method: 'HEAD' })).status, 404)
  assert.match(await say(world.server.port, 'CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n'), /^$/)
})

for (const uuid of [' ', '%00', 'a%2Fb', '..%2F..', '%F0%9F%92%A5', 'x'.repeat(8_000), "' OR 1=1 --", '%25', '{UUID}'])
  test(`the UUID ${JSON.stringify(uuid.slice(0, 20))} is nobody’s, for every operation`, async () => {
    await using world = await openWorld()
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const response = await fetch(`${world.server.url}${collection}/${uuid.replaceAll(/[ ']/g, encodeURIComponent)}`, {
        method
      })
      assert.deepEqual(
        [response.status, await response.json()],
        [404, { Type: 'User', Message: 'The resource you requested does not exist.' }]
      )
    }
  })

test('slashes in an ARN, escaped once, twice or not at all, find nothing and break nothing', async () => {
  await using world = await openWorld()
  const arn = 'arn:aws:kafka:us-east-1:000000000000:cluster/a/b'
  const get = async (path: string) => {
    const response = await fetch(world.server.url + path)
    return [response.status, response.headers.get('x-amzn-errortype')]
  }
  assert.deepEqual(await get(`/2017-03-31/tags/${encodeURIComponent(arn)}`), [400, 'ValidationException'])
  assert.deepEqual(await get(`/2017-03-31/tags/${encodeURIComponent(encodeURIComponent(arn))}`), [
    400,
    'ValidationException'
  ])
  assert.deepEqual(await get(`/2017-03-31/tags/${arn}`), [404, 'UnknownOperationException'])
  assert.deepEqual(await get(`${collection}?EventSourceArn=${encodeURIComponent(arn)}`), [200, null])
  assert.deepEqual(await get(`${collection}?EventSourceArn=${arn}`), [200, null])
})

const quick = { checkEveryMs: 20, headersTimeoutMs: 150, requestTimeoutMs: 300 }

test('headers or a body that come too slowly end the connection with a 408', async () => {
  await using world = await openWorld({ limits: quick })
  const { port } = world.server
  assert.match(await say(port, `POST ${collection} HTTP/1.1\r\nhost: x\r\nx-slow`), /^HTTP\/1.1 408 /)
  assert.match(
    await say(port, `POST ${collection} HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{`),
    /^HTTP\/1.1 408 /
  )
  assert.equal((await post(world, valid)).status, 202)
})

test('a flood of headers is refused by their number and by their size', async () => {
  await using world = await openWorld()
  const many = Array.from({ length: 101 }, (_, n) => `a${n}: b\r\n`).join('')
  const flood = await say(world.server.port, `GET ${collection} HTTP/1.1\r\nhost: x\r\n${many}\r\n`)
  assert.match(flood, /^HTTP\/1.1 431 /)
  const large = await say(
    world.server.port,
    `GET ${collection} HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(20_000)}\r\n\r\n`
  )
  assert.match(large, /^HTTP\/1.1 431 /)
})

test('connections beyond the limit are closed, and the others go on', async () => {
  await using world = await openWorld({ limits: { maxConnections: 2 } })
  const held = [connect(world.server.port, '127.0.0.1'), connect(world.server.port, '127.0.0.1')]
  await Promise.all(held.map(async socket => once(socket, 'connect')))
  assert.equal(await say(world.server.port, ''), '')
  const [first] = held
  first?.write(`GET ${collection} HTTP/1.1\r\nhost: x\r\n\r\n`)
  const [chunk] = (await once(first ?? held[0]!, 'data')) as [Buffer]
  assert.match(chunk.toString(), /^HTTP\/1.1 200 /)
  for (const socket of held) socket.destroy()
})

test('one address has no more than its share of the connections: others get in, and it does again when it lets go', async () => {
  await using world = await openWorld({ limits: { maxConnections: 8, maxConnectionsPerAddress: 2 } })
  const open = async (from: string) => {
    const socket = connect({ port: world.server.port, host: '127.0.0.1', localAddress: from })
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }
  const isServed = async (socket: Socket) => {
    const answer = once(socket, 'data').then(([chunk]) => String(chunk))
    const closed = once(socket, 'close').then(() => 'closed')
    socket.write(`GET ${collection} HTTP/1.1\r\nhost: x\r\n\r\n`)
    return (await Promise.race([answer, closed])).startsWith('HTTP/1.1 200 ')
  }
  const [first, second] = [await open('127.0.0.1'), await open('127.0.0.1')]
  assert.deepEqual([await isServed(first), await isServed(second)], [true, true])
  assert.equal(await isServed(await open('127.0.0.1')), false)
  const other = await open('127.0.0.2')
  assert.equal(await isServed(other), true)
  second.end()
  await once(second, 'close')
  const again = await open('127.0.0.1')
  assert.equal(await isServed(again), true)
  for (const socket of [first, other, again]) socket.destroy()
})

test('a caller without a key is not asked for its body, and cannot send one without end', async () => {
  await using world = await openControlWorld()
  const head = `POST ${collection} HTTP/1.1\r\nhost: x\r\n`
  const answer = await say(
    world.server.port,
    `${head}content-length: 9\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n`
  )
  assert.match(answer, /^HTTP\/1.1 403 /)
  const socket = connect(world.server.port, '127.0.0.1')
  socket.on('error', () => undefined)
  const closed = new Promise(resolve => socket.on('close', resolve))
  socket.write(`${head}content-length: 1000000000\r\n\r\n`)
  const chunk = Buffer.alloc(1_048_576)
  let sent = 0
  const more = (): void => {
    while (!socket.destroyed && sent < 200 && socket.write(chunk)) sent += 1
  }
  socket.on('drain', more)
  socket.resume()
  more()
  await closed
  assert.ok(sent < 200)
})

test('a caller with a key is asked for its body when it waits for that', async () => {
  await using world = await openWorld()
  const socket = connect(world.server.port, '127.0.0.1')
  const body = JSON.stringify(valid)
  const head = `POST ${collection} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\n`
  socket.write(`${head}content-length: ${body.length}\r\n\r\n`)
  const [go] = (await once(socket, 'data')) as [Buffer]
  assert.match(go.toString(), /^HTTP\/1.1 100 /)
  socket.write(body)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1.1 202 /)
  socket.destroy()
})
