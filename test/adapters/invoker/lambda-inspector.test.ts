import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { AwsCredentialChain } from '../../../src/adapters/aws/credentials.ts'
import { LambdaInspector } from '../../../src/adapters/invoker/lambda-inspector.ts'
import type { LambdaTarget } from '../../../src/ports/functions.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { RecordingLog } from '../../support/recording-log.ts'

interface Answer {
  readonly status: number
  readonly type?: string
  readonly body: unknown
}

async function setup(answer: Answer, { hasCredentials = true } = {}) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(answer.status, answer.type === undefined ? {} : { 'x-amzn-errortype': answer.type })
    response.end(JSON.stringify(answer.body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const clock = new FakeClock()
  const log = new RecordingLog()
  const find = async () => {
    if (!hasCredentials) throw new Error('Could not load credentials from any providers')
    return { accessKeyId: 'A', secretAccessKey: 's' }
  }
  const { inspect } = new LambdaInspector({
    credentials: new AwsCredentialChain(clock, { find }),
    clock,
    log
  })
  const target: LambdaTarget = {
    kind: 'lambda',
    functionName: 'f',
    region: 'eu-west-1',
    endpoint,
    signed: true,
    timeoutMs: 1
  }
  const close = async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return {
    asked,
    clock,
    log,
    inspect: (qualifier?: string) => inspect(target, qualifier),
    close,
    async [Symbol.asyncDispose]() {
      if (server.listening) await close()
    }
  }
}

test('what AWS says of a function is asked once for a while, for each qualifier', async () => {
  await using world = await setup({ status: 200, body: { Timeout: 900, MemorySize: 512, Version: '7' } })
  assert.deepEqual(await world.inspect('live'), { timeoutSeconds: 900, memoryMiB: 512, version: '7' })
  await world.inspect('live')
  await world.inspect()
  await world.clock.advance(31_000)
  await world.inspect('live')
  const path = 'GET /2015-03-31/functions/f/configuration'
  assert.deepEqual(world.asked, [`${path}?Qualifier=live`, path, `${path}?Qualifier=live`])
})

test('a function that AWS does not have is not found', async () => {
  await using world = await setup({ status: 404, type: 'ResourceNotFoundException', body: { Message: 'no' } })
  await assert.rejects(world.inspect(), { code: 'MILL_FUNCTION_NOT_FOUND', message: 'Function does not exist' })
})

test('what may not be asked is not known, and told in the log', async () => {
  const body = { Message: 'not authorized to perform: lambda:GetFunctionConfiguration' }
  await using world = await setup({ status: 403, type: 'AccessDeniedException', body })
  assert.deepEqual(await world.inspect(), {})
  assert.match(world.log.messages('warn')[0] ?? '', /lambda:GetFunctionConfiguration/)
})

test('an emulator that has only Invoke says nothing', async () => {
  await using world = await setup({ status: 404, body: 'no such page' })
  assert.deepEqual(await world.inspect(), {})
})

test('credentials that AWS does not know are an error that says so', async () => {
  const body = { message: 'The security token included in the request is invalid.' }
  await using world = await setup({ status: 403, type: 'UnrecognizedClientException', body })
  await assert.rejects(world.inspect(), {
    code: 'MILL_AWS_UNREACHABLE',
    message: /AWS Lambda cannot be asked for function f .*UnrecognizedClientException: The security token/
  })
})

test('no credentials and no network are errors that say so', async () => {
  await using without = await setup({ status: 200, body: {} }, { hasCredentials: false })
  await assert.rejects(without.inspect(), { code: 'MILL_AWS_CREDENTIALS', message: /Could not load credentials/ })
  await using world = await setup({ status: 200, body: {} })
  await world.close()
  await assert.rejects(world.inspect(), { code: 'MILL_AWS_UNREACHABLE', message: /ECONNREFUSED/ })
})
