import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { apis, newestShared } from '../../../src/adapters/kafka/apis.ts'
import { BufferPool } from '../../../src/adapters/kafka/buffer-pool.ts'
import { Cluster } from '../../../src/adapters/kafka/cluster.ts'
import { ScriptedBroker } from './scripted-broker.ts'

async function deadPort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Accepts connections and never says a word. */
async function silentPort(t: TestContext): Promise<number> {
  const server = createServer(socket => void socket.on('error', () => undefined))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

function setup(t: TestContext, ports: readonly number[]): Cluster {
  const cluster = new Cluster(
    {
      bootstrapServers: ports.map(port => `127.0.0.1:${port}`),
      clientId: 'test',
      connectTimeoutMs: 200,
      requestTimeoutMs: 2000
    },
    { clock: systemClock, pool: new BufferPool(0) }
  )
  t.after(() => cluster.close())
  return cluster
}

suite('a cluster', () => {
  test('is found through whichever bootstrap server answers', async t => {
    const broker = await ScriptedBroker.open()
    t.after(() => broker.close())
    broker.partitions = 3
    const cluster = setup(t, [await deadPort(), await silentPort(t), broker.port])
    const topic = (await cluster.topics(['orders'])).get('orders')
    assert.ok(typeof topic === 'object')
    assert.deepEqual([...topic.partitions.keys()], [0, 1, 2])
    assert.deepEqual([...cluster.brokers], [[1, { host: '127.0.0.1', port: broker.port }]])
  })

  test('that cannot be reached names every broker and why', async t => {
    const ports = [await deadPort(), await silentPort(t)]
    await assert.rejects(setup(t, ports).topics(['orders']), {
      name: 'ClusterUnreachable',
      message: `broker 127.0.0.1:${ports[1]}: no answer within 200 ms; TCP 127.0.0.1:${ports[0]}: connect ECONNREFUSED 127.0.0.1:${ports[0]}`
    })
  })

  test('gives one open connection for a use, and a new one when that has broken', async t => {
    const broker = await ScriptedBroker.open()
    t.after(() => broker.close())
    const cluster = setup(t, [broker.port])
    const address = { host: '127.0.0.1', port: broker.port }
    const [first, same, other] = await Promise.all([
      cluster.wire(address, 'fetch'),
      cluster.wire(address, 'fetch'),
      cluster.wire(address, 'commit')
    ])
    assert.equal(first, same)
    assert.notEqual(first, other)
    first.close()
    assert.notEqual(await cluster.wire(address, 'fetch'), first)
    assert.equal(await cluster.wire(address, 'commit'), other)
  })

  test('that is closed opens nothing more', async t => {
    const broker = await ScriptedBroker.open()
    t.after(() => broker.close())
    const cluster = setup(t, [broker.port])
    await cluster.topics(['orders'])
    await cluster.close()
    await cluster.close()
    await assert.rejects(cluster.topics(['orders']), /closed/)
  })

  test('speaks the newest version that both sides know, and says so when there is none', () => {
    const offer = (min: number, max: number) => new Map([[apis.fetch.key, { min, max }]])
    assert.equal(newestShared(apis.fetch, offer(4, 11)).version, 11)
    assert.equal(newestShared(apis.fetch, offer(4, 99)).version, 17)
    assert.throws(() => newestShared(apis.fetch, offer(0, 3)), /fetch: .*the broker offers versions 0 to 3/)
    assert.throws(() => newestShared(apis.fetch, new Map()), /does not offer it/)
  })
})
