import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCli, type Actions } from '../../../src/app/cli/program.ts'
import type { MappingsFlags } from '../../../src/app/mappings/flags.ts'
import { RecordingIo } from '../../support/recording-io.ts'

const refused = async (): Promise<never> => assert.fail('another command ran')

async function run(line: string) {
  const io = new RecordingIo()
  const asked: MappingsFlags[] = []
  const actions: Actions = {
    serve: refused,
    demo: refused,
    dev: refused,
    send: refused,
    tail: refused,
    broker: refused,
    filter: refused,
    policy: refused,
    doctor: refused,
    async mappings(flags) {
      asked.push(flags)
      return 0
    }
  }
  return { code: await runCli(['mappings', ...line.split(' ')], io, actions), err: io.err, asked }
}

const uuid = '5a62c4f1-e52c-447d-a5c7-3f88eae05c5b'
const arn = 'arn:aws:kafka:us-east-1:000000000000:cluster/local/11111111-1111-1111-1111-111111111111-1'

test('create makes the request of a self-managed mapping out of its flags', async () => {
  const { asked } = await run(
    'create --function-name f:1 --topic t --bootstrap-servers a:1,b:2 --starting-position AT_TIMESTAMP ' +
      '--starting-position-timestamp 1700000000.5 --batch-size 7 --maximum-batching-window-in-seconds 0 ' +
      '--parallelization-factor 2 --consumer-group-id g --disabled --tag a=b=c --tag d= --wait'
  )
  assert.deepEqual(asked[0]?.action, {
    kind: 'create',
    wait: true,
    input: {
      FunctionName: 'f:1',
      Topics: ['t'],
      SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:1', 'b:2'] } },
      SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'g' },
      StartingPosition: 'AT_TIMESTAMP',
      StartingPositionTimestamp: new Date(1_700_000_000_500),
      BatchSize: 7,
      MaximumBatchingWindowInSeconds: 0,
      ParallelizationFactor: 2,
      Enabled: false,
      Tags: { a: 'b=c', d: '' }
    }
  })
})

test('create for an MSK cluster puts the group where AWS has it, and sends nothing that was not said', async () => {
  const { asked } = await run(`create --function-name f --topic t --event-source-arn ${arn} --consumer-group-id g`)
  assert.deepEqual(asked[0]?.action, {
    kind: 'create',
    wait: false,
    input: {
      FunctionName: 'f',
      Topics: ['t'],
      EventSourceArn: arn,
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'g' }
    }
  })
})

test('update sends what it is told and nothing else', async () => {
  const { asked } = await run(`update ${uuid} --batch-size 9 --disable`)
  assert.deepEqual(asked[0]?.action, {
    kind: 'update',
    wait: false,
    input: { UUID: uuid, BatchSize: 9, Enabled: false }
  })
})

test('connection and form are flags of every one of them', async () => {
  const { asked } = await run(`delete ${uuid} --endpoint-url http://h:1 --data-dir d --output text`)
  assert.deepEqual(asked[0], {
    connection: { endpointUrl: 'http://h:1', dataDir: 'd' },
    output: 'text',
    action: { kind: 'delete', uuid, wait: false }
  })
})

test('what cannot be meant is a usage error before anything is asked', async () => {
  const wrong = [
    ['create --function-name f --topic t', /--bootstrap-servers.*--event-source-arn/],
    ['create --topic t --bootstrap-servers a:1', /--function-name/],
    [`create --function-name f --topic t --bootstrap-servers a:1 --event-source-arn ${arn}`, /cannot be used with/],
    ['create --function-name f --topic t --bootstrap-servers a:1 --tag novalue', /KEY=VALUE/],
    ['create --function-name f --topic t --bootstrap-servers a:1 --tag a=1 --tag a=2', /a is given twice/],
    ['create --function-name f --topic t --bootstrap-servers a:1 --starting-position-timestamp soon', /ISO|a time/],
    ['create --function-name f --topic t --bootstrap-servers a:1 --batch-size 1.5', /whole number/],
    [`update ${uuid}`, /what to change/],
    [`update ${uuid} --enable --disable`, /cannot be used with/],
    ['get', /UUID/],
    ['list --output xml', /xml/],
    ['lits', /list/]
  ] as const
  for (const [line, pattern] of wrong) {
    const { code, asked, err } = await run(line)
    assert.deepEqual({ code, asked }, { code: 2, asked: [] }, line)
    assert.match(err, pattern, line)
  }
})
