import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import { kafkaSuite } from '../support/kafka/kafka-suite.ts'

const tools = 'org.apache.kafka.tools'

await kafkaSuite('Kafka’s own tools on the embedded broker', runTool => {
  const lines: string[] = []
  const broker = new EmbeddedBroker({ log: line => lines.push(line) })
  before(() => broker.start())
  after(() => broker.stop())

  /** Standard output of a tool that must succeed. */
  const run = async (mainClass: string, args: readonly string[], stdin = ''): Promise<string> => {
    const { code, stdout, stderr } = await runTool(mainClass, ['--bootstrap-server', broker.bootstrap, ...args], {
      stdin
    })
    assert.equal(code, 0, `${mainClass} ${args.join(' ')}:\n${stdout}\n${stderr}\n${lines.join('\n')}`)
    return stdout
  }
  const groups = (...args: string[]) => run(`${tools}.consumer.group.ConsumerGroupCommand`, args)
  const produce = (topic: string, records: number, ...args: string[]) => {
    const input = Array.from({ length: records }, (_one, i) => `key${i}:value${i}\n`).join('')
    const keyed = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:']
    return run(`${tools}.ConsoleProducer`, ['--topic', topic, ...keyed, ...args], input)
  }

  test('the topic tool makes, describes, grows and deletes a topic', async () => {
    await run(`${tools}.TopicCommand`, [
      '--create',
      '--topic',
      'made',
      '--partitions',
      '3',
      '--config',
      'retention.ms=9000'
    ])
    const described = await run(`${tools}.TopicCommand`, ['--describe', '--topic', 'made'])
    assert.match(described, /PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: retention.ms=9000/)
    await run(`${tools}.TopicCommand`, ['--alter', '--topic', 'made', '--partitions', '5'])
    assert.equal(broker.endOffset('made', 4), 0)
    await run(`${tools}.TopicCommand`, ['--delete', '--topic', 'made'])
    assert.throws(() => broker.endOffset('made', 0), /no partition 0 of topic made/)
  })

  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    test(`the console producer and consumer pass every record with ${codec}`, async () => {
      const topic = `console-${codec}`
      broker.createTopic(topic, { partitions: 3 })
      await produce(topic, 200, '--compression-codec', codec)
      const from = ['--topic', topic, '--group', `group-${codec}`, '--from-beginning', '--max-messages', '200']
      const shown = ['--formatter-property', 'print.key=true', '--timeout-ms', '15000']
      const read = await run(`${tools}.consumer.ConsoleConsumer`, [...from, ...shown])
      const expected = Array.from({ length: 200 }, (_one, i) => `key${i}\tvalue${i}`)
      assert.deepEqual(read.trim().split('\n').sort(), expected.sort())
      const committed = [0, 1, 2].map(partition => broker.committed(`group-${codec}`, topic, partition)?.offset)
      assert.deepEqual(
        committed,
        [0, 1, 2].map(partition => broker.endOffset(topic, partition))
      )
    })
  }

  test('the console consumer reads and commits as a member of the protocol consumer', async () => {
    broker.createTopic('modern', { partitions: 3 })
    await produce('modern', 200)
    const seen: string[] = []
    const unlisten = broker.onCommit(() => seen.push(broker.groupState('modern-readers')?.state ?? ''))
    const from = ['--topic', 'modern', '--group', 'modern-readers', '--from-beginning', '--max-messages', '200']
    const spoken = ['--command-property', 'group.protocol=consumer', '--timeout-ms', '15000']
    const read = await run(`${tools}.consumer.ConsoleConsumer`, [...from, ...spoken])
    unlisten()
    const expected = Array.from({ length: 200 }, (_one, i) => `value${i}`)
    assert.deepEqual(read.trim().split('\n').sort(), expected.sort())
    const offsets = [0, 1, 2].map(partition => broker.committed('modern-readers', 'modern', partition)?.offset)
    const ends = [0, 1, 2].map(partition => broker.endOffset('modern', partition))
    assert.deepEqual(offsets, ends)
    assert.ok(seen.includes('Stable'), 'it committed as a member')
    assert.match(await groups('--list', '--type'), /modern-readers\s+Consumer/i)
    assert.match(await groups('--describe', '--group', 'modern-readers', '--state'), /uniform\s+Empty/)
  })

  test('the offset tool finds the ends of partitions, and the record with the highest time', async () => {
    broker.createTopic('ends', { partitions: 2 })
    for (const timestamp of [1_000, 3_000, 2_000]) broker.append('ends', 0, [{ value: 'x', timestamp }])
    broker.deleteRecords('ends', 0, 1)
    const offsets = (time: string) => run(`${tools}.GetOffsetShell`, ['--topic', 'ends', '--time', time])
    assert.match(await offsets('latest'), /ends:0:3\nends:1:0/)
    assert.match(await offsets('earliest'), /ends:0:1\nends:1:0/)
    assert.match(await offsets('max-timestamp'), /ends:0:1\n/)
    assert.match(await offsets('2000'), /ends:0:1\n/)
  })

  test('the group tool lists, describes, resets and deletes a group', async () => {
    broker.createTopic('grouped', { partitions: 1 })
    broker.append('grouped', 0, [{ value: 'a' }, { value: 'b' }, { value: 'c' }])
    const target = ['--group', 'grouped-readers', '--topic', 'grouped']
    await groups('--reset-offsets', ...target, '--to-offset', '2', '--execute')
    assert.deepEqual(broker.committed('grouped-readers', 'grouped', 0)?.offset, 2)
    assert.match(await groups('--list', '--state'), /grouped-readers\s+Empty/)
    assert.match(await groups('--describe', '--group', 'grouped-readers'), /grouped\s+0\s+2\s+3\s+1\s/)
    await groups('--delete-offsets', ...target)
    assert.equal(broker.committed('grouped-readers', 'grouped', 0), undefined)
    await groups('--delete', '--group', 'grouped-readers')
    assert.equal(broker.groupState('grouped-readers'), undefined)
  })

  test('the settings tool shows and changes settings of a topic, and shows the broker’s', async () => {
    broker.createTopic('settings', { partitions: 1 })
    const entity = ['--entity-type', 'topics', '--entity-name', 'settings']
    await run('kafka.admin.ConfigCommand', ['--alter', ...entity, '--add-config', 'max.message.bytes=2000'])
    assert.match(await run('kafka.admin.ConfigCommand', ['--describe', ...entity]), /max\.message\.bytes=2000 /)
    await run('kafka.admin.ConfigCommand', ['--alter', ...entity, '--delete-config', 'max.message.bytes'])
    assert.doesNotMatch(await run('kafka.admin.ConfigCommand', ['--describe', ...entity]), /max\.message\.bytes/)
    const ofBroker = await run('kafka.admin.ConfigCommand', ['--describe', '--all', '--entity-type', 'brokers'])
    assert.match(ofBroker, /offset\.metadata\.max\.bytes=4096/)
  })

  test('the performance consumer reads what the performance producer wrote', async () => {
    broker.createTopic('fast', { partitions: 4 })
    const load = ['--topic', 'fast', '--num-records', '20000', '--record-size', '500', '--throughput', '-1']
    await run(`${tools}.ProducerPerformance`, load)
    const written = [0, 1, 2, 3].reduce((sum, partition) => sum + broker.endOffset('fast', partition), 0)
    assert.equal(written, 20_000)
    const report = await run(`${tools}.ConsumerPerformance`, ['--topic', 'fast', '--num-records', '20000'])
    assert.equal(report.trim().split('\n').at(-1)?.split(', ')[4], '20000')
  })

  test('the tool that deletes records moves the start of the log', async t => {
    broker.createTopic('deleted', { partitions: 1 })
    broker.append('deleted', 0, [{ value: 'a' }, { value: 'b' }, { value: 'c' }])
    const folder = await mkdtemp(join(tmpdir(), 'millrace-devbroker-'))
    t.after(() => rm(folder, { recursive: true }))
    const file = join(folder, 'offsets.json')
    await writeFile(file, JSON.stringify({ version: 1, partitions: [{ topic: 'deleted', partition: 0, offset: 2 }] }))
    await run(`${tools}.DeleteRecordsCommand`, ['--offset-json-file', file])
    assert.equal(broker.startOffset('deleted', 0), 2)
  })
})
