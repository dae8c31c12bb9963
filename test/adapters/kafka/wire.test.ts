import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { Writer } from '@platformatic/kafka'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { BufferPool } from '../../../src/adapters/kafka/buffer-pool.ts'
import { Wire } from '../../../src/adapters/kafka/wire.ts'

/** A server that answers each request frame with what `answer` makes of it; nothing: no answer. */
async function setup(t: TestContext, answer: (request: Buffer, socket: Socket) => Buffer | undefined) {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    let bytes = Buffer.alloc(0)
    socket.on('data', data => {
      bytes = Buffer.concat([bytes, data])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const request = bytes.subarray(4, 4 + bytes.readInt32BE(0))
        bytes = bytes.subarray(4 + bytes.readInt32BE(0))
        const response = answer(request, socket)
        if (response !== undefined) socket.write(response)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const pool = new BufferPool(8 << 20)
  const { port } = server.address() as AddressInfo
  const wire = await Wire.open(
    { host: '127.0.0.1', port, clientId: 'test', connectTimeoutMs: 2000 },
    { clock: systemClock, pool }
  )
  t.after(() => {
    wire.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const ask = (payload = 'x', timeoutMs = 5000, pooled = true) =>
    wire.request({
      apiKey: 1,
      apiVersion: 4,
      payload: Writer.create().append(Buffer.from(payload)),
      taggedRequest: false,
      taggedResponse: false,
      timeoutMs,
      pooled
    })
  return { wire, pool, ask, port }
}

/** Header of a request: api key, version, correlation id, client id. */
const correlationId = (request: Buffer) => request.readInt32BE(4)
const payloadOf = (request: Buffer) => request.subarray(10 + request.readInt16BE(8))

function response(id: number, body: Buffer): Buffer {
  const frame = Buffer.alloc(8 + body.length)
  frame.writeInt32BE(4 + body.length, 0)
  frame.writeInt32BE(id, 4)
  body.copy(frame, 8)
  return frame
}

suite('a connection to a broker', () => {
  test('answers of any size come whole and in order, however they are cut', async t => {
    const body = (text: string) => Buffer.alloc(Number(text), text)
    const { ask, pool } = await setup(t, request =>
      response(correlationId(request), body(payloadOf(request).toString()))
    )
    const sizes = ['1', '70000', '3', '1500000', '16384', '200', '900000']
    const answers = await Promise.all(sizes.map(size => ask(size)))
    for (const [index, { body: got, lease }] of answers.entries()) {
      assert.ok(got.equals(body(sizes[index]!)), sizes[index])
      lease.release()
    }
    assert.equal(pool.leases, 0)
  })

  test('a frame that claims too much, or too little, breaks the connection before anything is allocated', async t => {
    for (const size of [0x7fffffff, -1, 3]) {
      const { ask, pool, wire } = await setup(t, () => {
        const frame = Buffer.alloc(4)
        frame.writeInt32BE(size, 0)
        return frame
      })
      await assert.rejects(ask(), {
        name: 'MalformedResponse',
        message: new RegExp(`announced a response of ${size} bytes`)
      })
      assert.ok(wire.broken)
      assert.equal(pool.heldBytes, 0)
    }
  })

  test('an answer to another request breaks the connection', async t => {
    const { ask, wire, pool } = await setup(t, request => response(correlationId(request) + 1, Buffer.alloc(70_000)))
    await assert.rejects(ask(), { name: 'MalformedResponse' })
    assert.ok(wire.broken)
    assert.equal(pool.leases, 0)
  })

  test('no answer in time rejects all that wait, naming the broker', async t => {
    const { ask, wire } = await setup(t, () => undefined)
    const [first, second] = await Promise.allSettled([ask('a', 50), ask('b', 5000)])
    for (const outcome of [first, second]) {
      assert.equal(outcome.status, 'rejected')
      assert.match(String(outcome.reason), new RegExp(`broker ${wire.address}: no answer within 50 ms`))
    }
    await assert.rejects(ask(), { name: 'BrokerUnreachable' })
  })

  test('a connection that ends in the middle of an answer rejects it and gives the buffer back', async t => {
    const { ask, pool } = await setup(t, (request, socket) => {
      socket.write(response(correlationId(request), Buffer.alloc(500_000)).subarray(0, 300_000), () => socket.destroy())
      return undefined
    })
    await assert.rejects(ask(), { name: 'BrokerUnreachable' })
    assert.equal(pool.leases, 0)
  })

  test('closing rejects what waits, twice is fine', async t => {
    const { ask, wire } = await setup(t, () => undefined)
    const asked = assert.rejects(ask(), /closed here/)
    wire.close()
    wire.close()
    await asked
  })

  test('nobody listening is said plainly', async t => {
    const { wire, pool } = await setup(t, () => undefined)
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const options = { host: '127.0.0.1', port, clientId: 'test', connectTimeoutMs: 1000 }
    await assert.rejects(Wire.open(options, { clock: systemClock, pool }), {
      name: 'BrokerUnreachable',
      message: new RegExp(`broker 127.0.0.1:${port}: .*ECONNREFUSED`)
    })
    assert.ok(!wire.broken)
  })
})
