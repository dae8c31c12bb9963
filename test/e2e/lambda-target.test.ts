import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { sdkApi } from '../support/mapping-api.ts'
import { MillraceProcess } from '../support/millrace-process.ts'
import { eventually } from '../support/poll.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const arn = 'arn:aws:lambda:us-east-1:000000000000:function:orders'

/**
 * A server in the place of AWS Lambda, whose Invoke looks at the signature and runs the world's function; and servers
 * that find their functions there.
 */
async function setup(t: TestContext) {
  const world = await EmbeddedWorld.open(t)
  const lambda = await world.serve({
    config: { functions: { slow: { http: world.function.url, timeoutSeconds: 900 } } }
  })
  const { accessKeyId, secretAccessKey } = await lambda.credentials()
  const awsKey = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
  const serve = async (functions: object, env: Readonly<Record<string, string>> = awsKey) => {
    const millrace = await MillraceProcess.start({ config: { functions }, env })
    t.after(() => millrace.close())
    return millrace
  }
  return { world, lambda, awsKey, serve }
}

test('records reach a function at AWS Lambda, signed, with the qualifier of the mapping', async t => {
  const { world, lambda, serve } = await setup(t)
  const millrace = await serve({ real: { lambda: arn, endpoint: lambda.url } })
  const topic = await world.topic('shop', 3)
  await topic.write(100)
  const uuid = await world.map(millrace, 'shop', { FunctionName: 'real:live', BatchSize: 50 })
  await world.succeeded(300)
  const mapping = await (await world.api(millrace)).get(uuid)
  assert.equal(mapping.FunctionArn, `${arn}:live`)
  assert.deepEqual(
    new Set(world.function.calls.map(({ headers }) => headers['x-millrace-qualifier'])),
    new Set(['live'])
  )
  // The server in the place of AWS calls by its own rules: no mapping of ours is known to it.
  assert.equal(world.function.calls[0]?.headers['x-millrace-mapping'], undefined)
  world.assertSound(topic)
})

test('a name that nobody configured is a function at AWS Lambda; it is looked up there before it is mapped', async t => {
  const { world, lambda, awsKey, serve } = await setup(t)
  const millrace = await serve({}, { ...awsKey, AWS_ENDPOINT_URL_LAMBDA: lambda.url })
  const topic = await world.topic('shop', 1)
  await topic.write(20)
  const refusal = (code: string, message: string | RegExp) => ({ code, message })
  await assert.rejects(
    world.map(millrace, 'shop', { FunctionName: 'nobody' }),
    refusal('InvalidParameterValueException', 'Function does not exist')
  )
  await assert.rejects(
    world.map(millrace, 'shop', { FunctionName: 'slow' }),
    refusal(
      'InvalidParameterValueException',
      'Function timeout must not exceed 840 seconds for Kafka event source mappings: that of slow is 900 s.'
    )
  )
  await world.map(millrace, 'shop')
  await world.succeeded(20)
  world.assertSound(topic)

  const { accessKeyId, secretAccessKey } = await millrace.credentials()
  const client = new LambdaClient({
    endpoint: millrace.url,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey }
  })
  t.after(() => client.destroy())
  const { Timeout } = await client.send(new GetFunctionConfigurationCommand({ FunctionName: 'orders' }))
  assert.equal(Timeout, 30)
  const Payload = JSON.stringify({ records: {} })
  const { StatusCode } = await client.send(new InvokeCommand({ FunctionName: 'orders', Payload }))
  assert.equal(StatusCode, 200)
})

test('a key that AWS does not know is told at Create; one that loses its rights later, in LastProcessingResult', async t => {
  const { world, lambda, serve } = await setup(t)
  const functions = { real: { lambda: arn, endpoint: lambda.url } }
  const env = { AWS_ACCESS_KEY_ID: 'AKIDUNKNOWN', AWS_SECRET_ACCESS_KEY: 'nobody’s' }
  const millrace = await serve(functions, env)
  const topic = await world.topic('shop', 1)
  await topic.write(1)
  await assert.rejects(world.map(millrace, 'shop', { FunctionName: 'real' }), {
    code: 'ServiceException',
    message: /AWS Lambda cannot be asked for function .*orders .*UnrecognizedClientException: The security token/
  })
  // An emulator that is called unsigned is not asked; the server in the place of AWS refuses the call itself.
  const unsigned = await serve({ real: { ...functions.real, signed: false } }, {})
  const uuid = await world.map(unsigned, 'shop', { FunctionName: 'real' })
  const api = sdkApi({ url: unsigned.url, ...(await unsigned.credentials()) })
  const told = await eventually(
    async () => {
      const { LastProcessingResult = '' } = await api.get(uuid)
      return LastProcessingResult.includes('MissingAuthenticationToken') && LastProcessingResult
    },
    { describe: 'the result names the refusal' }
  )
  assert.match(
    told,
    /AWS Lambda did not run .*orders: 403 MissingAuthenticationTokenException: Missing Authentication Token/
  )
})
