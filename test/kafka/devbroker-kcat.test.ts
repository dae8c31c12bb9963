import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'

/** librdkafka's command-line client, where the machine has it; in CI it must. */
const isHere = spawnSync('kcat', ['-V']).status === 0
const name = 'kcat (librdkafka) on the embedded broker'

if (isHere) suite(name, kcatSuite)
else if (process.env['CI'] === 'true') test(name, () => assert.fail('kcat is not on the PATH; Debian has it as kcat'))
else test(name, { skip: 'kcat is not on the PATH; Debian has it as kcat' }, () => undefined)

function kcatSuite(): void {
  const broker = new EmbeddedBroker({ autoCreateTopics: true, defaultPartitions: 2 })
  before(() => broker.start())
  after(() => broker.stop())

  /** Standard output of a run that must succeed. */
  const kcat = async (args: readonly string[], stdin = ''): Promise<string> => {
    const child = spawn('kcat', ['-b', broker.bootstrap, ...args], { timeout: 20_000, killSignal: 'SIGKILL' })
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    child.stdin.end(stdin)
    const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
    assert.equal(code, 0, `kcat ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  test('lists the broker and its topics', async () => {
    broker.createTopic('listed', { partitions: 3 })
    assert.match(await kcat(['-L', '-t', 'listed']), /broker 1 at 127\.0\.0\.1:\d+[^]*topic "listed" with 3 partitions/)
  })

  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    test(`reads every record it sent with ${codec}, in a group that commits`, async () => {
      const topic = `kcat-${codec}`
      broker.createTopic(topic, { partitions: 3 })
      const lines = Array.from({ length: 100 }, (_one, i) => `key${i}:value${i}`)
      await kcat(['-P', '-t', topic, '-z', codec, '-K', ':', '-X', 'enable.idempotence=true'], `${lines.join('\n')}\n`)
      const read = await kcat([
        '-G',
        `group-${codec}`,
        '-e',
        '-q',
        '-K',
        ':',
        '-X',
        'auto.offset.reset=earliest',
        topic
      ])
      assert.deepEqual(read.trim().split('\n').sort(), lines.sort())
      const partitions = [0, 1, 2]
      assert.deepEqual(
        partitions.map(partition => broker.committed(`group-${codec}`, topic, partition)?.offset),
        partitions.map(partition => broker.endOffset(topic, partition))
      )
    })
  }

  test('finds offsets by time, whatever codec the records were sent in', async () => {
    for (const codec of ['none', 'snappy', 'lz4']) {
      const topic = `times-${codec}`
      broker.createTopic(topic, { partitions: 1 })
      await kcat(['-P', '-t', topic, '-z', codec, '-p', '0'], 'some text\n'.repeat(50))
      const times = (await kcat(['-C', '-t', topic, '-e', '-q', '-f', '%T\n'])).trim().split('\n').map(Number)
      const last = Math.max(...times)
      assert.match(await kcat(['-Q', '-t', `${topic}:0:${last}`]), new RegExp(`offset ${times.indexOf(last)}\\s*$`))
    }
  })

  test('makes a topic by sending to it, where the broker allows that', async () => {
    await kcat(['-P', '-t', 'by-sending'], 'hello\n')
    assert.equal(await kcat(['-C', '-t', 'by-sending', '-e', '-q']), 'hello\n')
    assert.equal(broker.endOffset('by-sending', 0) + broker.endOffset('by-sending', 1), 1)
  })
}
