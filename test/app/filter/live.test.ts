import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { CreateEventSourceMappingCommand } from '@aws-sdk/client-lambda'
import { runCli } from '../../../src/app/cli/program.ts'
import type { LiveAccount } from '../../../src/app/filter/live-account.ts'
import { EmbeddedBroker } from '../../../src/devbroker/broker.ts'
import { FilterRefusals } from '../../../src/fleet/filter-refusals.ts'
import { mskArn, openControlWorld, secretAccessKey } from '../../control/control-world.ts'
import { RecordingIo } from '../../support/recording-io.ts'

const filters = ['{"value":{"n":[{"numeric":["<",10]}]}}', '{"value":{"s":["y"]}}']
const pattern = ['--pattern', filters[0]!]

/** A broker with 100 records in two partitions, a server, and the command line. */
async function setup(t: TestContext) {
  const broker = new EmbeddedBroker()
  await broker.start()
  t.after(() => broker.stop())
  broker.createTopic('orders', { partitions: 2 })
  for (let at = 0; at < 100; at++)
    broker.append('orders', at % 2, [{ value: JSON.stringify({ n: at % 20 }), timestamp: 1_000 + at }])
  const refusals = new FilterRefusals()
  const world = await openControlWorld({ refusals })
  t.after(() => world[Symbol.asyncDispose]())
  const cwd = await mkdtemp(join(tmpdir(), 'millrace-live-'))
  t.after(() => rm(cwd, { recursive: true }))
  const env = {
    MILLRACE_ENDPOINT: world.server.url,
    AWS_ACCESS_KEY_ID: 'reader',
    AWS_SECRET_ACCESS_KEY: secretAccessKey
  }
  const run = async (args: readonly string[], columns?: number) => {
    const io = new RecordingIo({ env, cwd, columns })
    return { code: await runCli(['filter', ...args], io), out: io.out, err: io.err }
  }
  const live = async (...args: readonly string[]) => {
    const { code, out, err } = await run(['test', '--live', ...args])
    assert.deepEqual([code, err], [0, ''])
    return JSON.parse(out) as LiveAccount
  }
  const map = async (Patterns: readonly string[] = filters, Tags: Record<string, string> = {}): Promise<string> => {
    const { UUID = '' } = await world.client.send(
      new CreateEventSourceMappingCommand({
        FunctionName: 'f',
        SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [broker.bootstrap] } },
        Topics: ['orders'],
        FilterCriteria: { Filters: Patterns.map(Pattern => ({ Pattern })) },
        Tags
      })
    )
    return UUID
  }
  return { broker, refusals, cwd, run, live, map }
}

describe('millrace filter test --live', () => {
  test('tells how many of the newest records of a topic pass, what refuses the others, and examples', async t => {
    const { broker, live } = await setup(t)
    const account = await live('orders', '--bootstrap', broker.bootstrap, ...pattern, '--last', '50')
    assert.deepEqual(
      { ...account, examples: undefined },
      {
        topic: 'orders',
        patterns: [filters[0]],
        records: 50,
        pass: 20,
        refused: 30,
        mismatched: 0,
        refusedBy: [{ pattern: 1, condition: 'value.n', records: 30 }],
        examples: undefined
      }
    )
    assert.deepEqual(
      account.examples.map(({ pass }) => pass),
      [true, true, true, true, true, false, false, false, false, false]
    )
    const { partition, offset, value, why } = account.examples.at(-1)!
    assert.equal(value, JSON.stringify({ n: (offset * 2 + partition) % 20 }))
    assert.deepEqual(
      why.map(({ path, wanted }) => [path, wanted]),
      [['value.n', '[{"numeric":["<",10]}]']]
    )
  })

  test('takes topic, cluster and filters from a mapping; other patterns may be tried on it', async t => {
    const { live, map } = await setup(t)
    const uuid = await map()
    const own = await live(uuid)
    assert.deepEqual([own.topic, own.patterns, own.records, own.pass], ['orders', filters, 100, 50])
    assert.deepEqual(
      own.refusedBy.map(({ condition }) => condition),
      ['value.n', 'value.s']
    )
    const other = await live(uuid, '--pattern', '{"value":{"n":[0]}}')
    assert.equal(other.pass, 5)
  })

  test('judges values of another format as the tag of the mapping says, or the flag', async t => {
    const { broker, live, map } = await setup(t)
    broker.append('orders', 0, [{ value: 'plain', timestamp: 9_000 }])
    const uuid = await map(filters, { 'millrace:filter-mismatch': 'drop' })
    const dropping = await live(uuid, '--last', '1')
    assert.deepEqual([dropping.pass, dropping.refused, dropping.mismatched], [0, 1, 1])
    assert.equal((await live(uuid, '--last', '1', '--mismatch', 'pass')).pass, 1)
  })

  test('finds an MSK cluster in the configuration', async t => {
    const { broker, cwd, live } = await setup(t)
    await writeFile(join(cwd, 'other.yaml'), `clusters: { '${mskArn}': { plaintext: ['${broker.bootstrap}'] } }\n`)
    const account = await live('orders', '--event-source-arn', mskArn, '--config', 'other.yaml', ...pattern)
    assert.equal(account.records, 100)
  })

  test('is a page on a terminal, and a line for each example as text', async t => {
    const { broker, run } = await setup(t)
    const args = ['test', '--live', 'orders', '--bootstrap', broker.bootstrap, ...pattern]
    const { out } = await run(args, 100)
    assert.match(out, /^100 newest records of orders: 50 pass \(50\.0 %\), 50 do not \(50\.0 %\)\n/)
    assert.match(out, /\nPATTERN +REFUSED BY +RECORDS\n1 +value\.n +50\n/)
    assert.match(out, /\nANSWER +PARTITION +OFFSET +VALUE +WHY NOT\npass +\d +\d+ +\{"n":\d\}\n/)
    const text = await run([...args, '--output', 'text'])
    assert.equal(text.out.trim().split('\n').length, 10)
    assert.match(text.out, /^refused\t\d\t\d+\t\{"n":1\d\}\tvalue\.n: wanted \[\{"numeric":\["<",10\]\}\], found 1\d$/m)
  })

  test('an empty topic has nothing to tell', async t => {
    const { broker, live } = await setup(t)
    broker.createTopic('empty', { partitions: 1 })
    const account = await live('empty', '--bootstrap', broker.bootstrap, ...pattern)
    assert.deepEqual([account.records, account.pass, account.examples], [0, 0, []])
  })

  test('no such topic, no such mapping, no filters and an invalid pattern are told apart', async t => {
    const { broker, run, map } = await setup(t)
    const at = ['--bootstrap', broker.bootstrap]
    const topic = await run(['test', '--live', 'nowhere', ...at, ...pattern])
    assert.equal(topic.code, 3)
    assert.match(topic.err, /^millrace: Topic nowhere does not exist on .*\(MILL_TOPIC_UNKNOWN\)\n$/)
    const mapping = await run(['test', '--live', '00000000-0000-0000-0000-000000000000'])
    assert.equal(mapping.code, 3)
    assert.match(mapping.err, /MILL_MAPPING_NOT_FOUND/)
    const bare = await run(['test', '--live', await map([])])
    assert.equal(bare.code, 2)
    assert.match(bare.err, /has no filters: name a pattern with --pattern\./)
    const invalid = await run(['test', '--live', 'orders', ...at, '--pattern', '{"n":[1]}'])
    assert.equal(invalid.code, 2)
    assert.match(invalid.err, /records have no field 'n' to filter by/)
  })
})

describe('millrace filter explain', () => {
  test('shows which conditions refuse, as a table, text and JSON', async t => {
    const { refusals, run, map } = await setup(t)
    const uuid = await map(filters, { 'millrace:filter-explain': 'on' })
    assert.match(
      (await run(['explain', uuid], 100)).out,
      /^No refused record was looked at so far\.\n\nFILTER +PATTERN\n/
    )
    const by = [
      { pattern: 0, condition: 'value.n', records: 3 },
      { pattern: 1, condition: 'value.s', records: 4 }
    ]
    refusals.add(uuid, filters, { records: 4, by }, 1_700_000_000_000)
    const table = await run(['explain', uuid], 100)
    assert.match(table.out, /^4 refused records were looked at since 2023-11-14T22:13:20\.000Z, one in 100\.\n/)
    assert.match(
      table.out,
      /\nFILTER +REFUSED BY +SAMPLED +SHARE\n1 +value\.n +3 +75\.0 %\n2 +value\.s +4 +100\.0 %\n$/
    )
    const text = await run(['explain', uuid, '--output', 'text'])
    assert.equal(text.out, '1\tvalue.n\t3\t75.0 %\n2\tvalue.s\t4\t100.0 %\n')
    const json = JSON.parse((await run(['explain', uuid])).out) as { Since: string; SampledEventCount: number }
    assert.deepEqual([json.Since, json.SampledEventCount], ['2023-11-14T22:13:20.000Z', 4])
  })

  test('says what to do where nothing is counted', async t => {
    const { run, map } = await setup(t)
    const { code, err } = await run(['explain', await map()])
    assert.equal(code, 0)
    assert.match(err, /give the mapping the tag millrace:filter-explain=on/)
    assert.equal((await run(['explain', '00000000-0000-0000-0000-000000000000'])).code, 3)
  })
})
