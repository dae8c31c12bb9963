import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { HttpFunction } from '../support/http-function.ts'
import { MillraceProcess } from '../support/millrace-process.ts'
import { eventually } from '../support/poll.ts'

test('Invoke runs a local function, gives the end of its log, and runs an event in the background', async t => {
  await using seen = await HttpFunction.open()
  const millrace = await MillraceProcess.start({
    config: {
      functions: {
        chatting: { handler: `${resolve('test/fixtures/functions/styles')}.chatting`, timeoutSeconds: 10 },
        seen: { http: seen.url }
      }
    }
  })
  t.after(() => millrace.close())
  const { accessKeyId, secretAccessKey } = await millrace.credentials()
  const client = new LambdaClient({
    endpoint: millrace.url,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey }
  })
  t.after(() => client.destroy())

  const Payload = JSON.stringify('hello')
  const told = await client.send(new InvokeCommand({ FunctionName: 'chatting', LogType: 'Tail', Payload }))
  const log = Buffer.from(told.LogResult ?? '', 'base64').toString()
  assert.match(log, /^START RequestId: \S+ Version: \$LATEST\n[\s\S]*out hello\n[\s\S]*REPORT RequestId: /)
  const id = told.$metadata.requestId
  assert.ok(id !== undefined && log.includes(`END RequestId: ${id}`), 'the id of the answer is the id of the call')

  const event = JSON.stringify({ records: {} })
  const accepted = await client.send(
    new InvokeCommand({ FunctionName: 'seen', InvocationType: 'Event', Payload: event })
  )
  assert.equal(accepted.StatusCode, 202)
  await eventually(() => seen.calls.length === 1, { describe: 'the event reached the function', intervalMs: 5 })
  assert.equal(seen.calls[0]?.headers['x-millrace-request-id'], accepted.$metadata.requestId)
})
