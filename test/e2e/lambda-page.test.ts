import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { systemClock } from '../../src/adapters/host/system-clock.ts'
import { classify } from '../../src/core/retry/outcome.ts'
import { anEvent, aRequest } from '../contracts/invoker.ts'
import { openLambdaWorld } from '../adapters/invoker/lambda-world.ts'
import { failed, never, returned } from '../support/http-function.ts'
import { pythonPath, testUnless, withoutPython } from '../support/local-runtimes.ts'
import { PageUnderTest } from '../support/page-blocks.ts'
import { EmulatorProcess, emulatorProgram, withoutEmulator } from '../support/runtime-interface-emulator.ts'
import { closedPort, StubAws } from '../support/stub-aws.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const page = new PageUnderTest('docs/how-to/call-aws-lambda.md')
const home = { region: 'eu-west-1', accountId: '123456789012' }
const arn = `arn:aws:lambda:${home.region}:${home.accountId}:function:orders`

const settings = (yaml: string) => parse(yaml) as { readonly functions: Record<string, Record<string, unknown>> }

describe('how to call functions at AWS Lambda', { timeout: 240_000 }, () => {
  const first = settings(page.block('Call functions at AWS Lambda').text)
  test('its first function gets records, signed, and goes by its name and its ARN at AWS', async t => {
    const world = await EmbeddedWorld.open(t)
    // In the place of AWS: its Invoke refuses what is not signed by a key that it knows.
    const aws = await world.serve({ config: home })
    const { accessKeyId, secretAccessKey } = await aws.credentials()
    const env = {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_ENDPOINT_URL_LAMBDA: aws.url
    }
    const millrace = await world.serve({ config: first, env })
    const api = await world.api(millrace)
    for (const [topicName, FunctionName] of [
      ['by-name', 'orders'],
      ['by-arn', arn]
    ] as const) {
      const topic = await world.topic(topicName, 1)
      await topic.write(10)
      const uuid = await world.map(millrace, topicName, { FunctionName })
      assert.equal((await api.get(uuid)).FunctionArn, arn)
    }
    await world.succeeded(20)
    // By that Invoke, not by us.
    assert.ok(world.function.calls.every(({ headers }) => headers['x-millrace-mapping'] === undefined))
  })

  const withRole = settings(page.block('Credentials and rights').text)
  test('its function in another account is called with the keys of the role, for which the external id was given', async t => {
    const world = await EmbeddedWorld.open(t)
    const sts = await StubAws.start(t)
    const role = { accessKeyId: 'ASIAROLE', secretAccessKey: 'secret-of-the-role', sessionToken: 'token-of-the-role' }
    sts.answer = ({ operation }) => ({
      body: `<${operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${operation}Result><Credentials>
<AccessKeyId>${role.accessKeyId}</AccessKeyId><SecretAccessKey>${role.secretAccessKey}</SecretAccessKey>
<SessionToken>${role.sessionToken}</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>
</Credentials></${operation}Result></${operation}Response>`
    })
    const aws = await world.serve({ config: { ...home, credentials: [role] } })
    const env = {
      AWS_ACCESS_KEY_ID: 'AKIAOWN',
      AWS_SECRET_ACCESS_KEY: 'secret-of-our-own',
      AWS_ENDPOINT_URL_LAMBDA: aws.url,
      AWS_ENDPOINT_URL_STS: process.env['AWS_ENDPOINT_URL'] ?? ''
    }
    const millrace = await world.serve({ config: withRole, env })
    const topic = await world.topic('shop', 1)
    await topic.write(5)
    await world.map(millrace, 'shop')
    await world.succeeded(5)
    assert.deepEqual([...new Set(sts.operations)], ['AssumeRole'])
    const asked = new URLSearchParams(sts.calls[0]?.body)
    const { roleArn, externalId } = withRole.functions['orders'] ?? {}
    assert.deepEqual([asked.get('RoleArn'), asked.get('ExternalId')], [roleArn, externalId])
  })

  const emulatorLine = page.block('Emulators and other endpoints', 0).text.trim()
  const emulated = page.block('Emulators and other endpoints', 1).text
  testUnless(
    withoutEmulator() ?? withoutPython(),
    'its function under the Runtime Interface Emulator gets every record, after an error and a timeout too',
    async t => {
      const world = await EmbeddedWorld.open(t)
      const folder = mkdtempSync(join(tmpdir(), 'millrace-rie-'))
      const bin = join(folder, 'bin')
      mkdirSync(bin)
      symlinkSync(emulatorProgram() ?? '', join(bin, 'aws-lambda-rie'))
      copyFileSync('test/fixtures/functions/python/forwarding.py', join(folder, 'resize.py'))
      const port = await closedPort()
      const line = emulatorLine
        .replace(':9000 ', `:${port} `)
        .replace('aws-lambda-rie ', `aws-lambda-rie --runtime-api-address 127.0.0.1:${await closedPort()} `)
      await using emulator = await EmulatorProcess.start(line, {
        folder,
        port,
        env: {
          ...process.env,
          PATH: [bin, pythonPath].join(delimiter),
          AWS_LAMBDA_FUNCTION_TIMEOUT: '1',
          FORWARD_TO: world.function.url
        }
      })
      world.function.script = ({ number }) => (number === 1 ? failed : number === 2 ? never : returned)
      const millrace = await world.serve({
        config: { ...settings(emulated.replace(':9000', `:${port}`)), retryBaseMs: 20, retryCapMs: 50 }
      })
      // Enough to call for several calls at a time, which would be the end of it.
      const topic = await world.topic('shop', 4)
      await topic.write(20)
      await world.map(millrace, 'shop', { FunctionName: 'resize', BatchSize: 5, MaximumBatchingWindowInSeconds: 0 })
      await world.succeeded(topic.total, 60_000)
      world.assertSound(topic)
      const ends = world.function.calls.map(({ state }) => state)
      assert.deepEqual(ends.slice(0, 2), ['failed', 'gone'])
      assert.equal(emulator.isRunning, true)
    }
  )

  const answers = [
    ['200 without `X-Amz-Function-Error`', 200, {}, 'ok'],
    ['200 with it', 200, { 'x-amz-function-error': 'Unhandled' }, 'failed'],
    ['429', 429, { 'retry-after': '3' }, 'busy'],
    ['413', 413, {}, 'too-large'],
    ['any other, or a connection that breaks', 403, {}, 'unreachable']
  ] as const
  test('every answer of its table means what it says', async () => {
    await using world = await openLambdaWorld()
    const rows = page.rows('What an answer means').keys()
    assert.deepEqual([...rows], [...answers.map(([row]) => row), 'none a minute after `timeoutSeconds`'])
    for (const [row, status, headers, kind] of answers) {
      world.double.answerNext(response => void response.writeHead(status, headers).end('{}'))
      const outcome = classify(await world.invoker.invoke(anEvent({ do: 'empty' }), aRequest()))
      assert.equal(outcome.kind, kind, row)
      if (outcome.kind === 'busy') assert.equal(outcome.waitMs, 3_000)
    }
    world.double.answerNext(response => response.destroy())
    assert.equal(classify(await world.invoker.invoke(anEvent({ do: 'empty' }), aRequest())).kind, 'unreachable')
    const late = await world.open({ timeoutMs: 50 }, { clock: systemClock }).invoke(anEvent({ do: 'hang' }), aRequest())
    assert.equal(classify(late).kind, 'failed')
  })

  test('none of its blocks is run by nobody', () => page.assertWhole())
})
