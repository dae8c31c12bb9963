import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CallPermits } from '../../../src/adapters/invoker/call-permits.ts'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { anEvent, aRequest, invokerContract, textOf } from '../../contracts/invoker.ts'
import { LogBook } from './hosted.ts'
import { arn, key, openLambdaWorld as setup } from './lambda-world.ts'

const anything = () => anEvent({ do: 'return', value: null })
const path = `/2015-03-31/functions/${encodeURIComponent(arn)}/invocations`

invokerContract(
  'at AWS Lambda',
  {
    broken: 'unavailable',
    failedContext: { statusCode: 200, executedVersion: '7', functionError: 'Unhandled' },
    deeds: [
      'return',
      'digest',
      'empty',
      'fail',
      'throttle',
      'unavailable',
      'refuse-size',
      'hang',
      'drip',
      'slow',
      'late',
      'long',
      'cut',
      'break'
    ]
  },
  () => setup()
)

describe('reference 1.12: Invoke as the poller uses it', () => {
  test('a call names the function by its ARN, waits for the answer, and wants no log', async () => {
    await using world = await setup()
    await world.invoker.invoke(anything(), aRequest({ mapping: 'm-1' }))
    const [call] = world.double.calls
    assert.equal(call?.url, path)
    assert.equal(call?.headers['x-amz-invocation-type'], 'RequestResponse')
    assert.equal(call?.headers['x-amz-log-type'], 'None')
    assert.equal(call?.headers['content-type'], 'application/json')
    assert.match(call?.headers.authorization ?? '', /Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/lambda\/aws4_request/)
    assert.deepEqual(
      Object.keys(call?.headers ?? {}).filter(name => name.startsWith('x-millrace')),
      []
    )
  })

  test('a caller’s trace and client context go along, the context signed', async () => {
    await using world = await setup()
    const trace = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1'
    await world.invoker.invoke(anything(), aRequest({ trace, clientContext: 'e30=' }))
    await world.invoker.invoke(anything(), aRequest())
    const seen = world.double.calls.map(({ headers }) => [headers['x-amzn-trace-id'], headers['x-amz-client-context']])
    assert.deepEqual(seen, [
      [trace, 'e30='],
      [undefined, undefined]
    ])
    assert.match(world.double.calls[0]?.headers.authorization ?? '', /SignedHeaders=[^,]*x-amz-client-context/)
  })

  for (const [title, own, mappings, query] of [
    ['none', undefined, undefined, ''],
    ['that of the target', 'live', undefined, '?Qualifier=live'],
    ['that of the mapping before that of the target', 'live', '7', '?Qualifier=7'],
    ['$LATEST', undefined, '$LATEST', '?Qualifier=%24LATEST']
  ] as const) {
    test(`the qualifier is ${title}`, async () => {
      await using world = await setup({ target: own === undefined ? {} : { qualifier: own } })
      const request = aRequest(mappings === undefined ? {} : { qualifier: mappings })
      assert.equal((await world.invoker.invoke(anything(), request)).kind, 'returned')
      assert.equal(world.double.calls[0]?.url, `${path}${query}`)
    })
  }

  test('version, id of the call and the end of its log are handed on', async () => {
    await using world = await setup()
    world.double.answerNext(response => {
      const told = { 'x-amz-executed-version': '12', 'x-amzn-requestid': 'id-1', 'x-amz-log-result': 'bG9n' }
      response.writeHead(200, told).end('null')
    })
    const reply = await world.invoker.invoke(anything(), aRequest({ logTail: true }))
    assert.equal(world.double.calls[0]?.headers['x-amz-log-type'], 'Tail')
    const { payload: _payload, ...rest } = reply as Extract<typeof reply, { kind: 'returned' }>
    assert.deepEqual(rest, {
      kind: 'returned',
      statusCode: 200,
      executedVersion: '12',
      hostRequestId: 'id-1',
      logResult: 'bG9n'
    })
  })

  test('an error that the function handled itself is told as that', async () => {
    await using world = await setup()
    world.double.answerNext(response => {
      response.writeHead(200, { 'x-amz-function-error': 'Handled' }).end('{"errorMessage":"no stock"}')
    })
    const reply = await world.invoker.invoke(anything(), aRequest())
    assert.ok(reply.kind === 'function-error')
    assert.deepEqual([reply.functionError, reply.errorType, reply.errorMessage], ['Handled', 'Handled', 'no stock'])
  })

  for (const [status, type, kind, body = { message: 'why' }] of [
    [429, 'TooManyRequestsException', 'throttled', { Reason: 'ConcurrentInvocationLimitExceeded', message: 'why' }],
    [413, 'RequestTooLargeException', 'too-large'],
    [404, 'ResourceNotFoundException', 'unavailable', { Type: 'User', Message: 'why' }],
    [403, 'AccessDeniedException', 'unavailable', { Message: 'why' }],
    [403, 'EFSMountFailureException', 'unavailable'],
    [409, 'ResourceConflictException', 'unavailable'],
    [409, 'SnapStartNotReadyException', 'unavailable'],
    [410, 'EFSIOException', 'unavailable'],
    [408, 'EFSMountTimeoutException', 'unavailable'],
    [400, 'InvalidRequestContentException', 'unavailable'],
    [400, 'RecursiveInvocationException', 'unavailable'],
    [400, 'InvalidParameterValueException', 'unavailable'],
    [415, 'UnsupportedMediaTypeException', 'unavailable'],
    [502, 'KMSAccessDeniedException', 'unavailable'],
    [502, 'ENILimitReachedException', 'unavailable'],
    [502, 'ResourceNotReadyException', 'unavailable'],
    [500, 'ServiceException', 'unavailable', { Type: 'Service', Message: 'why' }],
    [503, 'ServiceUnavailableException', 'unavailable'],
    [301, undefined, 'unavailable']
  ] as const) {
    test(`${status} ${type ?? 'of nobody in particular'} is ${kind}, and says why`, async () => {
      await using world = await setup()
      world.double.answerNext(response => {
        response.writeHead(status, type === undefined ? {} : { 'x-amzn-errortype': `${type}:http://internal` })
        response.end(JSON.stringify(body))
      })
      const reply = await world.invoker.invoke(anything(), aRequest())
      assert.equal(reply.kind, kind)
      const reason = 'Reason' in body ? ` (${body.Reason})` : ''
      const named = type === undefined ? `${status}` : `${status} ${type}${reason}`
      assert.deepEqual('message' in reply && reply.message, `AWS Lambda did not run ${arn}: ${named}: why`)
    })
  }

  for (const [title, headers, waitMs] of [
    ['in seconds', { 'retry-after': '3' }, 3_000],
    ['not at all', {}, undefined]
  ] as const) {
    test(`a throttle that says how long to wait ${title} is kept to`, async () => {
      await using world = await setup()
      world.double.answerNext(response => void response.writeHead(429, headers).end('{}'))
      const reply = await world.invoker.invoke(anything(), aRequest())
      assert.ok(reply.kind === 'throttled')
      assert.equal(reply.retryAfterMs, waitMs)
    })
  }

  test('a page of a proxy is quoted, not taken for an answer of AWS', async () => {
    await using world = await setup()
    world.double.answerNext(response => void response.writeHead(502).end('<html>bad gateway</html>'))
    const reply = await world.invoker.invoke(anything(), aRequest())
    assert.ok(reply.kind === 'unavailable')
    assert.equal(reply.message, `AWS Lambda did not run ${arn}: 502: <html>bad gateway</html>`)
  })
})

describe('endpoints', () => {
  test('the Runtime Interface Emulator is called by its one path, unsigned', async () => {
    await using world = await setup({ target: { functionName: 'function', signed: false } })
    assert.equal((await world.invoker.invoke(anything(), aRequest())).kind, 'returned')
    const [call] = world.double.calls
    assert.equal(call?.url, '/2015-03-31/functions/function/invocations')
    assert.equal(call?.headers.authorization, undefined)
  })

  const failure = { errorType: 'OutOfStock', errorMessage: 'no stock' }
  const exit = { errorType: 'Runtime.ExitError', errorMessage: 'Runtime exited with error: exit status 3' }
  for (const [title, status, body, said] of [
    ['an error', 200, JSON.stringify(failure), failure],
    ['the end of its process', 502, JSON.stringify(exit), exit],
    [
      'a timeout',
      200,
      'Task timed out after 3.00 seconds',
      { errorType: 'Sandbox.Timedout', errorMessage: 'Task timed out after 3.00 seconds' }
    ]
  ] as const) {
    test(`${title} under the Runtime Interface Emulator is a failure, though nothing marks it as one`, async () => {
      await using world = await setup({ target: { functionName: 'function', signed: false } })
      world.double.answerNext(response => void response.writeHead(status).end(body))
      const reply = await world.invoker.invoke(anything(), aRequest())
      assert.ok(reply.kind === 'function-error', reply.kind)
      const { errorType, errorMessage, functionError } = reply
      assert.deepEqual({ errorType, errorMessage, functionError }, { ...said, functionError: 'Unhandled' })
      assert.deepEqual(JSON.parse(textOf(reply)), said)
    })
  }

  for (const [title, status, headers, body, kind] of [
    ['named with its version', 200, { 'x-amz-executed-version': '$LATEST' }, JSON.stringify(failure), 'returned'],
    ['named with its request', 200, { 'x-amzn-requestid': 'id-1' }, 'Task timed out after 3.00 seconds', 'returned'],
    ['with a message alone', 200, {}, '{"errorMessage":"no stock"}', 'returned'],
    ['that speaks of a timeout', 200, {}, '"Task timed out after 3.00 seconds"', 'returned'],
    ['with an error within', 200, {}, JSON.stringify({ last: failure }), 'returned'],
    ['with an error in a list', 200, {}, JSON.stringify([failure]), 'returned'],
    ['that is half an error', 200, {}, JSON.stringify(failure).slice(0, -1), 'returned'],
    [
      'of AWS that could not run it',
      502,
      { 'x-amzn-errortype': 'ENILimitReachedException' },
      JSON.stringify(failure),
      'unavailable'
    ],
    ['of an emulator that could not start it', 502, {}, '', 'unavailable']
  ] as const) {
    test(`an answer ${title} is no failure of a function under the emulator`, async () => {
      await using world = await setup()
      world.double.answerNext(response => void response.writeHead(status, headers).end(body))
      assert.equal((await world.invoker.invoke(anything(), aRequest())).kind, kind)
    })
  }

  test('an endpoint may lie below a path, which is signed too', async () => {
    await using world = await setup()
    const below = world.open({ endpoint: `http://${world.double.host}/lambda/`, functionName: 'orders' })
    assert.equal((await below.invoke(anything(), aRequest())).kind, 'returned')
    assert.equal(world.double.calls[0]?.url, '/lambda/2015-03-31/functions/orders/invocations')
  })
})

describe('credentials', () => {
  test('temporary ones carry their token, signed', async () => {
    await using world = await setup({ provider: async () => ({ ...key, sessionToken: 'token==' }) })
    assert.equal((await world.invoker.invoke(anything(), aRequest())).kind, 'returned')
    const headers = world.double.calls[0]?.headers
    assert.equal(headers?.['x-amz-security-token'], 'token==')
    assert.match(headers?.authorization ?? '', /x-amz-security-token/)
  })

  test('without any nothing is called, and the reply says what is missing', async () => {
    await using world = await setup({ provider: async () => Promise.reject(new Error('Could not load credentials')) })
    const reply = await world.invoker.invoke(anything(), aRequest())
    const message = `${arn} cannot be called: There are no AWS credentials that can be used: Could not load credentials`
    assert.deepEqual(reply, { kind: 'unavailable', message })
    assert.equal(world.double.calls.length, 0)
  })

  test('a call that waits for them can be aborted', async () => {
    await using world = await setup({ provider: () => new Promise(() => undefined) })
    const cut = new AbortController()
    const reply = world.invoker.invoke(anything(), aRequest({ signal: cut.signal }))
    cut.abort()
    assert.deepEqual(await reply, { kind: 'aborted' })
  })

  test('those that AWS says have expired are asked for anew, for the next call', async () => {
    let asked = 0
    await using world = await setup({ provider: async () => ({ ...key, sessionToken: `token${++asked}` }) })
    const invoke = () => world.invoker.invoke(anything(), aRequest())
    await invoke()
    world.double.answerNext(response => {
      response.writeHead(403, { 'x-amzn-errortype': 'ExpiredTokenException' }).end('{"message":"expired"}')
    })
    assert.equal((await invoke()).kind, 'unavailable')
    assert.equal((await invoke()).kind, 'returned')
    const tokens = world.double.calls.map(({ headers }) => headers['x-amz-security-token'])
    assert.deepEqual(tokens, ['token1', 'token1', 'token2'])
  })

  test('when our clock is wrong, the time of AWS is taken after the first refusal', async () => {
    await using world = await setup()
    const log = new LogBook()
    const clock = { ...systemClock, now: () => Date.now() - 3_600_000 }
    const invoker = world.open({}, { clock, log })
    const first = await invoker.invoke(anything(), aRequest())
    assert.ok(first.kind === 'unavailable')
    assert.match(first.message, /Signature expired/)
    assert.equal((await invoker.invoke(anything(), aRequest())).kind, 'returned')
    const told = await log.line(({ level }) => level === 'warn')
    // AWS tells whole seconds.
    assert.ok(Math.abs(Number(told.fields['skewSeconds']) - 3_600) <= 1)
  })
})

test('no more calls at a time than the target permits, over all its invokers', async () => {
  const permits = CallPermits.memory(2)
  await using world = await setup({ target: { permits } })
  const other = world.open()
  const slow = () => anEvent({ do: 'late', value: 1, afterMs: 10 })
  const replies = await Promise.all(
    Array.from({ length: 12 }, (_, at) => (at % 2 === 0 ? world.invoker : other).invoke(slow(), aRequest()))
  )
  assert.deepEqual(
    replies.map(textOf),
    Array.from({ length: 12 }, () => '1')
  )
  assert.equal(world.double.mostRunning, 2)
})
