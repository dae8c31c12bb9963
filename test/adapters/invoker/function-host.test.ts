import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../../../src/adapters/host/system-clock.ts'
import { openHttpInvoker } from '../../../src/adapters/invoker/http.ts'
import { anEvent, aRequest, invokerContract, textOf } from '../../contracts/invoker.ts'
import { hosting, type SomeFunction } from './hosted.ts'

async function scripted() {
  const world = await hosting([{ name: 'scripted', handler: 'scripted.handler', timeoutSeconds: 5, concurrency: 2 }])
  return {
    ...world,
    invoker: world.open('scripted'),
    impatient: (timeoutMs: number) => world.open('scripted', { timeoutMs }),
    begun: async () => void (await world.log.line(({ message }) => message === 'hanging')),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]()
  }
}

invokerContract(
  'a hosted function',
  {
    broken: 'function-error',
    failedContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
    deeds: ['return', 'digest', 'empty', 'fail', 'hang', 'slow', 'late', 'long', 'break']
  },
  scripted
)

/** A function of `styles.mjs`. */
const style = (name: string, more: Partial<SomeFunction> = {}): SomeFunction => ({
  name,
  handler: `./styles.${name}`,
  timeoutSeconds: 20,
  ...more
})

for (const [name, event, answer] of [
  ['asynchronous', { a: 1 }, { got: { a: 1 }, settings: { ready: 'top-level await' } }],
  ['returning', [1], { got: [1] }],
  ['callback', 'text', { got: 'text' }],
  ['callbackWithTimer', 0, 'at once'],
  ['callbackThenWork', 0, 'after'],
  ['succeeding', 0, 'legacy'],
  ['silent', 0, null],
  ['nested.deep', 0, 'nested']
] as const) {
  test(`a handler of style ${name} answers`, async () => {
    await using world = await hosting([{ ...style(name), name: 'fn' }])
    const reply = await world.call('fn', event)
    assert.equal(reply.kind, 'returned')
    assert.deepEqual(JSON.parse(textOf(reply)), answer)
  })
}

for (const handler of ['common.handler', './common.other', 'common.cjs.handler']) {
  test(`CommonJS whose exports are computed is found as ${handler}`, async () => {
    await using world = await hosting([{ name: 'fn', handler }])
    assert.deepEqual(JSON.parse(textOf(await world.call('fn', 1))), { name: handler.split('.').at(-1), event: 1 })
  })
}

for (const [name, errorType, errorMessage] of [
  ['throwing', 'TypeError', 'bad type'],
  ['rejectingText', 'string', 'only text'],
  ['callbackError', 'RangeError', 'too far'],
  ['throwingTrap', 'handled', 'what was thrown cannot be read'],
  ['circular', 'Runtime.MarshalError', /^Unable to stringify response body as json/],
  ['huge', 'Runtime.MarshalError', /BigInt/],
  ['never', 'Runtime.NodeJsExit', /never settles/],
  ['unhandled', 'Runtime.UnhandledPromiseRejection', 'nobody cares'],
  ['uncaught', 'Error', 'out of the blue'],
  ['exiting', 'Runtime.ExitError', /^RequestId: r-1 Error: Runtime exited with error: exit status 1$/],
  ['exitingZero', 'Runtime.ExitError', /^RequestId: r-1 Error: Runtime exited without providing a reason$/],
  ['killed', 'Runtime.ExitError', /^RequestId: r-1 Error: Runtime exited with error: signal: killed$/],
  ['notAFunction', 'Runtime.HandlerNotFound', './styles.notAFunction is not a function'],
  ['nowhere', 'Runtime.HandlerNotFound', /^\.\/styles\.nowhere is undefined or not exported by .*styles\.mjs$/]
] as const) {
  test(`a handler that goes wrong by ${name} is a function error ${errorType}, each time`, async () => {
    await using world = await hosting([style(name)])
    for (const _time of [1, 2]) {
      const reply = await world.call(name, {}, { requestId: 'r-1' })
      assert.ok(reply.kind === 'function-error', JSON.stringify(reply))
      assert.equal(reply.errorType, errorType)
      if (typeof errorMessage === 'string') assert.equal(reply.errorMessage, errorMessage)
      else assert.match(reply.errorMessage, errorMessage)
    }
  })
}

for (const [handler, errorType, message] of [
  ['broken-import.handler', 'Runtime.ImportModuleError', /no-such-package-anywhere/],
  ['broken-init.handler', 'RangeError', /^no configuration$/],
  ['exits-at-start.handler', 'Runtime.ExitError', /exit status 7$/],
  [
    'no/such/file.handler',
    'Runtime.ImportModuleError',
    /^Error: Cannot find module 'file' .* no file\.js, file\.mjs, .* in .*no\/such$/
  ],
  ['nodot', 'Runtime.MalformedHandlerName', /^Bad handler: expected path\/to\/file\.export, got "nodot"$/]
] as const) {
  test(`a function that cannot be started (${handler}) says why to the caller and in the log`, async () => {
    await using world = await hosting([{ name: 'fn', handler }])
    const reply = await world.call('fn')
    assert.ok(reply.kind === 'function-error', JSON.stringify(reply))
    assert.equal(reply.errorType, errorType)
    assert.match(reply.errorMessage, message)
    const line = await world.log.line(({ level }) => level === 'error')
    assert.deepEqual([line.message, line.fields['function']], ['the function cannot be started', 'fn'])
  })
}

test('a syntax error is told with its file', async () => {
  // Written here: a file that is no JavaScript would stop the project's own tools.
  const baseDir = mkdtempSync(path.join(tmpdir(), 'millrace-'))
  writeFileSync(path.join(baseDir, 'broken.mjs'), 'export const handler = async () => { return }}')
  writeFileSync(path.join(baseDir, 'untyped.ts'), 'export enum Colour { Red }')
  await using world = await hosting(['broken', 'untyped'].map(name => ({ name, handler: `${name}.handler`, baseDir })))
  for (const file of ['broken.mjs', 'untyped.ts']) {
    const reply = await world.call(path.parse(file).name)
    assert.ok(reply.kind === 'function-error')
    assert.equal(reply.errorType, 'Runtime.UserCodeSyntaxError')
    assert.match(reply.errorMessage, new RegExp(`^SyntaxError: .*${file}`, 's'))
  }
  rmSync(baseDir, { recursive: true })
})

test('a program, directory or environment that cannot be is a function error', async () => {
  await using world = await hosting([
    { name: 'program', command: ['./no-such-program'] },
    { name: 'directory', handler: 'a.b', baseDir: '/no/such/directory' },
    { name: 'under-a-file', command: ['./styles.mjs/bootstrap'] },
    { name: 'not-a-program', command: ['./styles.mjs'] },
    { name: 'environment', handler: 'styles.pid', environment: { TABLE: 'a\0b' } }
  ])
  for (const name of ['program', 'directory', 'under-a-file', 'not-a-program', 'environment']) {
    const reply = await world.call(name)
    assert.ok(reply.kind === 'function-error', JSON.stringify(reply))
    assert.equal(reply.errorType, 'Runtime.InvalidEntrypoint')
    assert.match(reply.errorMessage, /^Error: cannot start \S+ in \S+: (ENOENT|ENOTDIR|EACCES|ERR_INVALID_ARG_VALUE)$/)
  }
})

for (const name of ['hanging', 'spinning']) {
  test(`a ${name} handler is killed at its timeout, and the next call has a new process`, async () => {
    await using world = await hosting([style(name, { timeoutSeconds: 0.5 })])
    for (const requestId of ['r-1', 'r-2']) {
      const reply = await world.call(name, {}, { requestId })
      assert.ok(reply.kind === 'function-error', JSON.stringify(reply))
      assert.equal(reply.errorType, 'Sandbox.Timedout')
      assert.equal(reply.errorMessage, `RequestId: ${requestId} Error: Task timed out after 0.50 seconds`)
    }
  })
}

test('the context and the environment are those of Lambda, and no credential of ours is among them', async () => {
  process.env['AWS_SECRET_ACCESS_KEY'] = 'ours'
  process.env['AWS_ENDPOINT_URL_S3'] = 'http://127.0.0.1:9'
  await using world = await hosting([style('contextual', { environment: { TABLE: 't' }, memoryMiB: 256 })])
  const reply = await world.call('contextual', {}, { requestId: 'r-1', qualifier: 'live' })
  delete process.env['AWS_SECRET_ACCESS_KEY']
  delete process.env['AWS_ENDPOINT_URL_S3']
  const seen = JSON.parse(textOf(reply)) as Record<string, unknown>
  const arn = 'arn:aws:lambda:eu-west-1:123456789012:function:contextual'
  assert.deepEqual(
    [
      seen['awsRequestId'],
      seen['functionName'],
      seen['functionVersion'],
      seen['invokedFunctionArn'],
      seen['memoryLimitInMB']
    ],
    ['r-1', 'contextual', 'live', `${arn}:live`, '256']
  )
  assert.ok(Number(seen['remainingMs']) > 15_000 && Number(seen['remainingMs']) <= 20_000)
  const env = seen['env'] as NodeJS.ProcessEnv
  assert.equal(env['TABLE'], 't')
  assert.deepEqual((seen['members'] as string[]).toSorted(), [
    'awsRequestId',
    'callbackWaitsForEmptyEventLoop',
    'clientContext',
    'done',
    'fail',
    'functionName',
    'functionVersion',
    'getRemainingTimeInMillis',
    'identity',
    'invokedFunctionArn',
    'logGroupName',
    'logStreamName',
    'memoryLimitInMB',
    'succeed'
  ])
  assert.equal(seen['logGroupName'], '/aws/lambda/contextual')
  assert.equal(env['AWS_LAMBDA_LOG_GROUP_NAME'], '/aws/lambda/contextual')
  assert.match(String(seen['logStreamName']), /^[\da-f-]{36}$/)
  assert.equal(env['AWS_LAMBDA_LOG_STREAM_NAME'], seen['logStreamName'])
  assert.equal(env['AWS_LAMBDA_INITIALIZATION_TYPE'], 'on-demand')
  assert.equal(env['AWS_LAMBDA_FUNCTION_VERSION'], '$LATEST')
  assert.equal(env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'], '256')
  assert.equal(env['AWS_LAMBDA_FUNCTION_TIMEOUT'], '20')
  assert.equal(env['AWS_EXECUTION_ENV'], `AWS_Lambda_nodejs${process.versions.node.split('.')[0]}.x`)
  assert.equal(path.basename(env['LAMBDA_RUNTIME_DIR'] ?? ''), 'invoker')
  assert.deepEqual([env['TZ'], seen['hour']], [':UTC', 0])
  assert.equal(env['AWS_DEFAULT_REGION'], 'eu-west-1')
  assert.equal(env['AWS_REGION'], 'eu-west-1')
  assert.equal(env['AWS_LAMBDA_FUNCTION_NAME'], 'contextual')
  assert.equal(env['_HANDLER'], './styles.contextual')
  assert.equal(env['AWS_ENDPOINT_URL_S3'], 'http://127.0.0.1:9')
  assert.equal(env['LAMBDA_TASK_ROOT'], seen['cwd'])
  assert.match(String(seen['traceId']), /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Sampled=0$/)
  assert.equal(env['AWS_SECRET_ACCESS_KEY'], undefined)
  assert.equal(env['MILLRACE_RUNTIME_TOKEN'], undefined)
})

test('an event of more than 6 MiB is too large, and the process stays', async () => {
  await using world = await hosting([style('returning')])
  await world.call('returning')
  const reply = await world.call('returning', 'x'.repeat(6 * 1_048_576))
  assert.equal(reply.kind, 'too-large')
  assert.equal((await world.call('returning')).kind, 'returned')
})

test('who does not know the token is sent away', async () => {
  await using world = await hosting([style('returning')])
  const { url } = world.host.target('returning')
  for (const headers of [{}, { 'x-millrace-token': 'guess' }, { 'x-millrace-token': 'x'.repeat(43) }] as const) {
    const invoker = openHttpInvoker({ kind: 'http', url, headers, timeoutMs: 5_000 }, { clock: systemClock })
    const reply = await invoker.invoke(anEvent({ do: 'empty' }), aRequest())
    await invoker.close()
    assert.ok(reply.kind === 'function-error')
    assert.equal(reply.errorType, 'Http.403')
  }
})

test('what the function prints is in the log, line by line, with its name and request', async () => {
  await using world = await hosting([style('talking')])
  await world.call('talking', 'ping', { requestId: 'r-1' })
  const out = await world.log.line(({ message }) => message === 'out ping')
  const err = await world.log.line(({ message }) => message === 'err ping')
  assert.deepEqual([out.level, err.level], ['info', 'warn'])
  assert.deepEqual([out.fields['function'], out.fields['requestId']], ['talking', 'r-1'])
  await world.host.stop()
  assert.ok(world.log.lines.some(({ message }) => message === 'no end of line'))
})

test('a function that floods its output is answered, and the log stays small', async () => {
  await using world = await hosting([style('flooding')])
  const reply = await world.call('flooding', { lines: 300_000, bytes: 200 })
  assert.equal(textOf(reply), '"flooded"')
  const left = await world.log.line(({ message }) => message.startsWith('output of the function was left out'))
  assert.ok(Number(left.fields['bytes']) > 1_000_000)
  assert.ok(world.log.lines.length < 20_000, `${world.log.lines.length} lines`)
})

test('an endless line is cut', async () => {
  await using world = await hosting([style('flooding')])
  await world.call('flooding', { lines: 1, bytes: 1_000_000 })
  const line = await world.log.line(({ message }) => message.startsWith('xxx'))
  assert.equal(line.message.length, 16_384)
})

test('a caller that asks for the end of the log gets what its call said, and no more than 4 KB of it', async () => {
  await using world = await hosting([{ name: 'talking', handler: 'styles.chatting', concurrency: 1 }])
  const tailOf = async (words: string): Promise<string> => {
    const reply = await world.call('talking', words, { logTail: true, requestId: 'request-1' })
    assert.ok(reply.kind === 'returned')
    return Buffer.from(reply.logResult ?? '', 'base64').toString()
  }
  const lines = (await tailOf('hello')).split('\n')
  assert.equal(lines[0], 'START RequestId: request-1 Version: $LATEST')
  assert.deepEqual(lines.slice(1, 3).toSorted(), ['err hello', 'out hello'])
  assert.equal(lines[3], 'END RequestId: request-1')
  assert.match(lines[4] ?? '', /^REPORT RequestId: request-1\tDuration: \d+\.\d\d ms$/)
  const long = await tailOf('x'.repeat(5_000))
  assert.equal(long.length, 4_096)
  assert.match(long, /^x+\n[\s\S]*REPORT/)
  const silent = await world.call('talking', 'unasked')
  assert.ok(silent.kind === 'returned' && silent.logResult === undefined)
})
