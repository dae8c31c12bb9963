import assert from 'node:assert/strict'
import { once } from 'node:events'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { apis } from '../../src/devbroker/apis.ts'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import { FrameSplitter } from '../../src/devbroker/frame-splitter.ts'
import { RawClient } from './raw-client.ts'

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const framed = (body: Buffer) => Buffer.concat([int32(body.length), body])

async function setup() {
  const lines: string[] = []
  const broker = new EmbeddedBroker({ log: line => lines.push(line) })
  await broker.start()
  /** Whether somebody who comes now is served. */
  const serves = async () => {
    using client = await RawClient.open(broker)
    return (
      (await client.call('ApiVersions', 3, { clientSoftwareName: 'x', clientSoftwareVersion: '1' }))['errorCode'] === 0
    )
  }
  return { broker, lines, serves, [Symbol.asyncDispose]: () => broker.stop() }
}

suite('framing', () => {
  test('frames come out as they went in, however the stream is cut', () => {
    const frames = fc.array(fc.uint8Array({ minLength: 8, maxLength: 300 }), { maxLength: 10 })
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 }), (bodies, cuts) => {
        const stream = Buffer.concat(bodies.map(body => framed(Buffer.from(body))))
        const splitter = new FrameSplitter()
        const found: Buffer[] = []
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length]!
          found.push(...splitter.push(stream.subarray(at, at + size)))
          at += size
        }
        assert.deepEqual(
          found,
          bodies.map(body => Buffer.from(body))
        )
      })
    )
  })

  const malformed: [string, Buffer][] = [
    ['a negative length', int32(-1)],
    ['a length of zero', int32(0)],
    ['a length below the shortest request', Buffer.concat([int32(7), Buffer.alloc(7)])],
    ['a length above 100 MiB', int32(100 * 1024 * 1024 + 1)],
    ['a web request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a body that ends too soon', framed(Buffer.from([0, 3, 0, 9, 0, 0, 0, 1, 0, 1, 65, 0, 5]))],
    ['a client id longer than the request', framed(Buffer.from([0, 18, 0, 0, 0, 0, 0, 1, 0x7f, 0xff]))]
  ]
  for (const [what, bytes] of malformed) {
    test(`${what} ends that connection, says why in the log, and harms no other`, async () => {
      await using world = await setup()
      using neighbour = await RawClient.open(world.broker)
      using client = await RawClient.open(world.broker)
      client.socket.write(bytes)
      await client.closed()
      assert.match(world.lines.join('\n'), /closed: malformed request/)
      assert.equal((await neighbour.call('Metadata', 12, { topics: null }))['errorCode'], 0)
    })
  }

  test('a connection that breaks off in the middle of a request is forgotten', async () => {
    await using world = await setup()
    using client = await RawClient.open(world.broker)
    client.socket.end(Buffer.concat([int32(1_000), Buffer.alloc(10)]))
    await client.closed()
    assert.ok(await world.serves())
  })

  test('random bytes, framed or not, never stop the broker', async () => {
    await using world = await setup()
    const key = fc.constantFrom(...apis.keys())
    const header = fc.tuple(key, fc.integer({ min: 0, max: 18 })).map(([key, version]) => {
      return Buffer.from([key >> 8, key & 255, 0, version, 0, 0, 0, 1, 0xff, 0xff])
    })
    const body = fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes))
    const request = fc.tuple(header, body).map(parts => framed(Buffer.concat(parts)))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(request, body), { maxLength: 5 }), async parts => {
        using client = await RawClient.open(world.broker)
        client.socket.resume().write(Buffer.concat([...parts, int32(-1)]))
        // A well-formed long poll may hold the connection; it is enough that the bytes have been taken.
        client.socket.end()
        await once(client.socket, 'finish')
      }),
      { numRuns: 150 }
    )
    assert.ok(await world.serves())
    assert.doesNotMatch(world.lines.join('\n'), /failed: /, 'no handler met an error that it did not expect')
  })
})

suite('versions', () => {
  test('ApiVersions from the future is answered in version 0, with the error and the versions to ask in', async () => {
    await using world = await setup()
    using client = await RawClient.open(world.broker)
    const answer = await client.exchange(18, 99, Buffer.from([0]), true)
    // error 35, one entry: key 18, version 0 to 4
    assert.deepEqual([...answer], [0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4])
    assert.ok(await client.call('ApiVersions', 4, {}))
  })

  test('an unknown API, and an unknown version of a known one, are answered UNSUPPORTED_VERSION', async () => {
    await using world = await setup()
    using client = await RawClient.open(world.broker)
    for (const [key, version] of [
      [999, 0],
      [-1, 0],
      [1, 99],
      [3, -1]
    ] as const) {
      assert.deepEqual([...(await client.exchange(key, version, Buffer.alloc(20), false))], [0, 35])
    }
    assert.match(world.lines.join('\n'), /request Fetch in unsupported version 99/)
  })

  test('what ApiVersions promises is what is served: every API answers its lowest and its highest version', async () => {
    await using world = await setup()
    for (const { name, versions, request } of apis.values()) {
      for (const version of versions) {
        using client = await RawClient.open(world.broker)
        // Without acks Produce would be the one request that is not answered.
        const empty = { ...(request.absent as object), acks: 1 }
        assert.equal(typeof (await client.call(name, version, empty)), 'object', `${name} ${version}`)
      }
    }
  })
})
