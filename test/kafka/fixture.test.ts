import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Kafka, logLevel } from 'kafkajs'
import type { KafkaConfig, KafkaMessage, SASLOptions } from 'kafkajs'
import { kafkaForSuite, kafkaSuite, withRealKafka } from '../support/kafka/kafka-suite.ts'
import { brokerMetadata } from '../support/kafka/kafka-client.ts'
import type { RealKafka } from '../support/kafka/real-kafka.ts'
import { users } from '../support/kafka/server-properties.ts'
import type { ListenerName } from '../support/kafka/server-properties.ts'
import { eventually } from '../support/poll.ts'

function foreignClient(config: KafkaConfig): Kafka {
  return new Kafka({ clientId: 'foreign', logLevel: logLevel.NOTHING, retry: { retries: 1 }, ...config })
}

/** Reads `count` messages from the start of a topic in a group of its own, and commits past them. */
async function readAll(kafka: RealKafka, topic: string, groupId: string, count: number) {
  const consumer = foreignClient({ brokers: kafka.bootstrap() }).consumer({ groupId, maxWaitTimeInMs: 100 })
  const messages: { partition: number; message: KafkaMessage }[] = []
  const { promise: complete, resolve } = Promise.withResolvers<void>()
  try {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ partition, message }) => {
        messages.push({ partition, message })
        if (messages.length === count) resolve()
        return Promise.resolve()
      }
    })
    await complete
    const next = new Map(messages.map(({ partition, message }) => [partition, BigInt(message.offset) + 1n]))
    const commits = [...next].map(([partition, offset]) => ({
      topic,
      partition,
      offset: `${offset}`,
      metadata: 'seen'
    }))
    await consumer.commitOffsets(commits)
  } finally {
    await consumer.disconnect()
  }
  return messages
}

await kafkaSuite('one broker', runTool => {
  const kafka = kafkaForSuite({ listeners: ['tls', 'mtls', 'sasl'] })

  test('a foreign consumer reads exactly what was produced, and its commits are seen', async () => {
    await kafka.createTopic('letters', { partitions: 3 })
    const headers = [
      ['trace', 'a'],
      ['trace', 'b']
    ] as const
    await kafka.produce('letters', [
      { partition: 2, key: 'k', value: 'v', headers, timestamp: 1_700_000_000_123 },
      { partition: 2, key: 'gone', value: null },
      { partition: 0, value: Buffer.from([0, 255]) }
    ])

    const read = await readAll(kafka, 'letters', 'readers', 3)
    const [first, gone] = read.filter(({ partition }) => partition === 2).map(({ message }) => message)
    assert.deepEqual([first?.key?.toString(), first?.value?.toString()], ['k', 'v'])
    assert.equal(first?.timestamp, '1700000000123')
    assert.deepEqual(first?.headers, { trace: [Buffer.from('a'), Buffer.from('b')] })
    assert.deepEqual([gone?.key?.toString(), gone?.value], ['gone', null])
    const [binary] = read.filter(({ partition }) => partition === 0).map(({ message }) => message)
    assert.deepEqual([binary?.key, binary?.value], [null, Buffer.from([0, 255])])

    assert.deepEqual(
      await kafka.endOffsets('letters'),
      new Map([
        [0, 1n],
        [1, 0n],
        [2, 2n]
      ])
    )
    assert.deepEqual(
      await kafka.committed('readers', 'letters'),
      new Map([
        [0, { offset: 1n, metadata: 'seen' }],
        [2, { offset: 2n, metadata: 'seen' }]
      ])
    )
  })

  test('many messages arrive in order, though they take more than one request', async () => {
    await kafka.createTopic('many', { partitions: 1, config: { 'retention.ms': '-1' } })
    const values = Array.from({ length: 20_000 }, (_, index) => `${index}`.padStart(100, '.'))
    await kafka.produce(
      'many',
      values.map(value => ({ value }))
    )
    const read = await readAll(kafka, 'many', 'counters', values.length)
    assert.deepEqual(
      read.map(({ message }) => message.value?.toString()),
      values
    )
  })

  test('topics grow and go', async () => {
    await kafka.createTopic('passing', { partitions: 1 })
    await kafka.addPartitions('passing', 4)
    assert.equal((await kafka.endOffsets('passing')).size, 4)
    await kafka.deleteTopic('passing')
    const admin = foreignClient({ brokers: kafka.bootstrap() }).admin()
    await admin.connect()
    const topics = await admin.listTopics()
    await admin.disconnect()
    assert.equal(topics.includes('passing'), false)
  })

  test("Kafka's own tools run from the same jars", async () => {
    await kafka.createTopic('told', { partitions: 5 })
    const args = ['--bootstrap-server', kafka.bootstrap().join(','), '--describe', '--topic', 'told']
    const { code, stdout, stderr } = await runTool('org.apache.kafka.tools.TopicCommand', args)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /PartitionCount: 5/)
  })

  /** Lists topics as `config` says: proof enough that the listener let us in. */
  async function enter(listener: ListenerName, config: Omit<KafkaConfig, 'brokers'>): Promise<string[]> {
    const admin = foreignClient({ brokers: kafka.bootstrap(listener), ...config }).admin()
    try {
      await admin.connect()
      return await admin.listTopics()
    } finally {
      await admin.disconnect()
    }
  }
  const readCa = async () => ({ ca: [await readFile(kafka.certificates.ca)] })

  test('the tls listener shows a certificate of our authority, and of no other', async () => {
    await enter('tls', { ssl: await readCa() })
    await assert.rejects(enter('tls', { ssl: true }), /self-signed|unable to verify|local issuer/)
  })

  test('the mtls listener lets only a client with a certificate in', async () => {
    const [cert, key] = await Promise.all([kafka.certificates.clientCert, kafka.certificates.clientKey].map(readPem))
    await enter('mtls', { ssl: { ...(await readCa()), cert, key } })
    // The broker's alert can lose the race against its closing the connection.
    await assert.rejects(
      enter('mtls', { ssl: await readCa() }),
      /bad certificate|certificate required|ECONNRESET|EPIPE|closed/
    )
  })

  const mechanisms: Record<string, (username: string, password: string) => SASLOptions> = {
    'SCRAM-SHA-512': (username, password) => ({ mechanism: 'scram-sha-512', username, password }),
    'SCRAM-SHA-256': (username, password) => ({ mechanism: 'scram-sha-256', username, password }),
    PLAIN: (username, password) => ({ mechanism: 'plain', username, password })
  }
  for (const [mechanism, as] of Object.entries(mechanisms)) {
    test(`the sasl listener knows its users by ${mechanism}`, async () => {
      const ssl = await readCa()
      for (const [name, password] of Object.entries(users)) await enter('sasl', { ssl, sasl: as(name, password) })
      await assert.rejects(enter('sasl', { ssl, sasl: as('alice', 'wrong') }), /[Aa]uthentication/)
    })
  }

  test('a stopped broker comes back on its ports with its data', async () => {
    await kafka.createTopic('kept', { partitions: 1 })
    await kafka.produce('kept', [{ value: 'still here' }])
    const before = kafka.bootstrap()
    await kafka.stopBroker(1)
    await assert.rejects(brokerMetadata(before[0] ?? ''), /ECONNREFUSED|[Cc]onnection/)
    await kafka.startBroker(1)
    assert.deepEqual(kafka.bootstrap(), before)
    assert.deepEqual(await kafka.endOffsets('kept'), new Map([[0, 1n]]))
  })

  test('a paused broker answers nobody until it is resumed', async () => {
    const [address = ''] = kafka.bootstrap()
    kafka.pauseBroker(1)
    await assert.rejects(brokerMetadata(address), /[Tt]imed out/)
    kafka.resumeBroker(1)
    assert.equal((await brokerMetadata(address)).brokers.length, 1)
  })
})

await kafkaSuite('three brokers', () => {
  test('the partitions of a killed broker get new leaders, and it comes back', async t => {
    const kafka = await withRealKafka(t, { brokers: 3 })
    await kafka.createTopic('orders', { partitions: 6 })
    const led = (leaders: Map<number, number>) => [...new Set(leaders.values())].sort((a, b) => a - b)
    assert.deepEqual(led(await kafka.leaders('orders')), [1, 2, 3])

    await kafka.killBroker(2)
    const without = await eventually(
      async () => {
        const leaders = led(await kafka.leaders('orders'))
        return !leaders.includes(2) && !leaders.includes(-1) && leaders
      },
      { timeoutMs: 30_000, describe: 'all partitions of the dead broker are led by others' }
    )
    assert.deepEqual(without, [1, 3])
    await kafka.produce(
      'orders',
      [0, 1, 2, 3, 4, 5].map(partition => ({ partition, value: 'while one is down' }))
    )

    await kafka.startBroker(2)
    assert.deepEqual([...(await kafka.endOffsets('orders')).values()], [1n, 1n, 1n, 1n, 1n, 1n])
    assert.equal((await brokerMetadata(kafka.bootstrap()[1] ?? '')).brokers.length, 3)
  })
})

test('a test process that dies, even by SIGKILL, takes its brokers and their data with it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-reaper-'))
  const support = pathToFileURL(join(import.meta.dirname, '../support/kafka/'))
  const program = `
    import { BrokerProcess } from '${new URL('broker-process.ts', support).href}'
    import { Reaper } from '${new URL('reaper.ts', support).href}'
    new Reaper('${folder}')
    const broker = new BrokerProcess('broker-1', '${folder}', 'sleep', ['1000'])
    broker.launch()
    console.log(broker.pid)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [line] = await once(createInterface(child.stdout), 'line')
  const pid = Number(line)
  assert.equal(isAlive(pid) && existsSync(folder), true)

  child.kill('SIGKILL')
  await eventually(() => !isAlive(pid) && !existsSync(folder), { describe: 'process and data are gone' })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function readPem(file: string): Promise<string> {
  return readFile(file, 'utf8')
}
