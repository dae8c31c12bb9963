import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { awsCliTest } from '../support/aws-cli.ts'
import { PageUnderTest } from '../support/page-blocks.ts'
import { EmbeddedWorld } from './embedded-world.ts'
import { offsetsOf, quick, upTo } from './failure-checks.ts'

const run = promisify(execFile)
const page = new PageUnderTest('docs/how-to/when-a-function-fails.md')

describe('what happens when a function fails', { timeout: 120_000 }, () => {
  const command = page.block('How long it is tried', 0).text
  awsCliTest('its command sets what it says of a mapping', async t => {
    const world = await EmbeddedWorld.open(t)
    const millrace = await world.serve()
    await world.topic('orders', 1)
    const UUID = await world.map(millrace, 'orders')
    const { accessKeyId, secretAccessKey } = await millrace.credentials()
    const { PATH, HOME } = process.env
    const env = {
      PATH,
      HOME,
      UUID,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_PAGER: ''
    }
    assert.match(command, /--endpoint-url http:\/\/127\.0\.0\.1:4577 /)
    await run('sh', ['-ec', command.replace('http://127.0.0.1:4577', millrace.url)], { env })
    const mapping = await (await world.api(millrace)).get(UUID)
    assert.deepEqual(
      {
        tries: mapping.MaximumRetryAttempts,
        age: mapping.MaximumRecordAgeInSeconds,
        bisect: mapping.BisectBatchOnFunctionError,
        types: mapping.FunctionResponseTypes,
        destination: mapping.DestinationConfig
      },
      {
        tries: 5,
        age: 3_600,
        bisect: true,
        types: ['ReportBatchItemFailures'],
        destination: { OnFailure: { Destination: 'file:orders.jsonl' } }
      }
    )
  })

  const answer = page.block('How long it is tried', 1).text
  test('its answer names one record of a batch, and that one alone comes again', async t => {
    const world = await EmbeddedWorld.open(t)
    const millrace = await world.serve({ config: quick })
    const topic = await world.topic('orders', 1)
    await topic.write(102)
    world.function.script = ({ number }) =>
      number === 1 ? { kind: 'status', status: 200, body: answer } : { kind: 'return' }
    await world.map(millrace, 'orders', {
      BatchSize: 200,
      MaximumBatchingWindowInSeconds: 1,
      FunctionResponseTypes: ['ReportBatchItemFailures']
    })
    await world.succeeded(1)
    assert.deepEqual(world.function.calls.map(offsetsOf), [upTo(102), [100]])
  })

  test('none of its blocks is run by nobody', () => page.assertWhole())
})
