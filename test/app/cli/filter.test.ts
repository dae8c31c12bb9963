import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCli, type Actions } from '../../../src/app/cli/program.ts'
import type { FilterFlags } from '../../../src/app/filter/flags.ts'
import { RecordingIo } from '../../support/recording-io.ts'

const refused = async (): Promise<never> => assert.fail('another command ran')

async function run(...args: readonly string[]) {
  const io = new RecordingIo()
  const asked: FilterFlags[] = []
  const actions: Actions = {
    serve: refused,
    demo: refused,
    dev: refused,
    send: refused,
    tail: refused,
    broker: refused,
    mappings: refused,
    policy: refused,
    doctor: refused,
    async filter(flags) {
      asked.push(flags)
      return 0
    }
  }
  return { code: await runCli(['filter', ...args], io, actions), err: io.err, asked }
}

const uuid = '5a62c4f1-e52c-447d-a5c7-3f88eae05c5b'
const arn = 'arn:aws:kafka:us-east-1:000000000000:cluster/local/11111111-1111-1111-1111-111111111111-1'

test('test takes several patterns, for a value or for a record', async () => {
  const value = await run('test', '--pattern', '{"a":[1]}', '--pattern', '@p.json', '--value', '-', '--output', 'json')
  assert.deepEqual(value.asked, [
    { output: 'json', action: { kind: 'value', patterns: ['{"a":[1]}', '@p.json'], value: '-' } }
  ])
  const record = await run('test', '--pattern', 'p', '--record', '{}', '--encoding', 'base64', '--mismatch', 'drop')
  assert.deepEqual(record.asked[0]?.action, {
    kind: 'record',
    patterns: ['p'],
    record: '{}',
    encoding: 'base64',
    mismatch: 'drop'
  })
})

test('live tells a mapping by its UUID from a topic, which needs a cluster and a pattern', async () => {
  const mapping = await run('test', '--live', uuid, '--data-dir', 'd', '--config', 'c.yaml')
  assert.deepEqual(mapping.asked[0]?.action, {
    kind: 'live',
    patterns: [],
    source: { kind: 'mapping', uuid },
    last: 100,
    mismatch: undefined,
    configFile: 'c.yaml',
    connection: { dataDir: 'd' }
  })
  const topic = await run('test', '--live', 'orders', '--bootstrap', 'a:1,b:2', '--pattern', 'p', '--last', '7')
  const { action } = topic.asked[0]!
  assert.deepEqual(action.kind === 'live' && [action.source, action.last], [
    { kind: 'topic', topic: 'orders', cluster: ['a:1', 'b:2'], sourceAccess: [] },
    7
  ])
  const access = ['--source-access', 'SASL_IAM=x=y']
  const msk = await run('test', '--live', uuid, '--event-source-arn', arn, '--pattern', 'p', ...access)
  const { action: secured } = msk.asked[0]!
  assert.deepEqual(secured.kind === 'live' && secured.source, {
    kind: 'topic',
    topic: uuid,
    cluster: arn,
    sourceAccess: [{ Type: 'SASL_IAM', URI: 'x=y' }]
  })
})

test('what does not go together is a usage error that says so', async () => {
  const wrong: [string[], RegExp][] = [
    [['--pattern', 'p'], /exactly one of --value, --record, --cases, --live has to be there/],
    [['--pattern', 'p', '--value', 'v', '--record', 'r'], /exactly one of/],
    [['--value', 'v'], /--value needs a --pattern/],
    [['--record', 'r'], /--record needs a --pattern/],
    [['--cases', 'c', '--pattern', 'p'], /--pattern does not go with --cases/],
    [['--value', 'v', '--pattern', 'p', '--last', '3'], /--last does not go with --value/],
    [['--value', 'v', '--pattern', 'p', '--event-source-arn', arn], /--event-source-arn does not go with --value/],
    [['--live', 'orders', '--pattern', 'p'], /orders is no UUID of a mapping: of a topic --bootstrap or/],
    [['--live', 'orders', '--bootstrap', 'a:1'], /--live with a topic needs a --pattern/],
    [['--live', 'o', '--pattern', 'p', '--bootstrap', 'a:1', '--event-source-arn', arn], /one of them will do/],
    [['--live', uuid, '--source-access', 'A=b'], /a mapping has its own/],
    [['--live', uuid, '--source-access', 'A'], /It must be TYPE=URI/],
    [['--live', uuid, '--last', '0'], /whole number from 1 to 1000000/],
    [['--value', '', '--pattern', 'p'], /must not be empty/]
  ]
  for (const [flags, message] of wrong) {
    const { code, err, asked } = await run('test', ...flags)
    assert.deepEqual({ code, asked }, { code: 2, asked: [] }, flags.join(' '))
    assert.match(err, message)
    assert.match(err, /millrace filter test --help/)
  }
})

test('explain takes the UUID of a mapping', async () => {
  const { asked } = await run('explain', uuid, '--endpoint-url', 'http://h:1', '--output', 'table')
  assert.deepEqual(asked, [
    { output: 'table', action: { kind: 'explain', uuid, connection: { endpointUrl: 'http://h:1' } } }
  ])
  assert.equal((await run('explain')).code, 2)
})
