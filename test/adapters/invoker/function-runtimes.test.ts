import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { invokerContract, textOf } from '../../contracts/invoker.ts'
import { goProgram, pythonPath, testUnless, withoutGo, withoutPython } from '../../support/local-runtimes.ts'
import { fixtures, hosting, type SomeFunction } from './hosted.ts'

const event = {
  records: {
    'orders-0': ['good', 'bad', 'good'].map((value, at) => ({
      topic: 'orders',
      partition: 0,
      offset: 40 + at,
      value: Buffer.from(value).toString('base64')
    }))
  }
}
const oneFailed = { batchItemFailures: [{ itemIdentifier: { partition: 'orders-0', offset: 41 } }] }

const python = (handler: string, more: Partial<SomeFunction> = {}): SomeFunction => ({
  name: 'py',
  handler,
  baseDir: path.join(fixtures, 'python'),
  timeoutSeconds: 20,
  ...more,
  environment: { PATH: pythonPath, ...more.environment }
})
const noPython = withoutPython()

if (noPython !== undefined) testUnless(noPython, 'a hosted function in Python holds the contract', async () => {})
else {
  invokerContract(
    'a hosted function in Python',
    {
      broken: 'function-error',
      failedContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      deeds: ['return', 'digest', 'empty', 'fail', 'hang', 'slow', 'late', 'long', 'break']
    },
    async () => {
      const world = await hosting([python('scripted.handler', { concurrency: 2 })])
      return {
        ...world,
        invoker: world.open('py'),
        impatient: (timeoutMs: number) => world.open('py', { timeoutMs }),
        begun: async () => void (await world.log.line(({ message }) => message === 'hanging')),
        [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]()
      }
    }
  )
}

testUnless(noPython, 'a Python handler names the records that failed, and what it prints is its call’s', async () => {
  await using world = await hosting([python('scripted.records')])
  const reply = await world.call('py', event, { requestId: 'r-1' })
  assert.deepEqual(JSON.parse(textOf(reply)), oneFailed)
  const line = await world.log.line(({ message }) => message === 'saw good,bad,good')
  assert.equal(line.fields['requestId'], 'r-1')
})

testUnless(noPython, 'a Python handler has Lambda’s context and environment, and modules beside it', async () => {
  await using world = await hosting([python('./scripted.about', { memoryMiB: 256 })])
  const seen = JSON.parse(textOf(await world.call('py', {}, { requestId: 'r-1' }))) as Record<string, unknown>
  const { version, remainingMs, traceId, environment, ...rest } = seen
  const arn = 'arn:aws:lambda:eu-west-1:123456789012:function:py'
  assert.deepEqual(rest, { requestId: 'r-1', arn, memory: '256', beside: 'a module of the same folder' })
  assert.ok(Number(remainingMs) > 10_000 && Number(remainingMs) <= 20_000)
  assert.match(String(traceId), /^Root=1-/)
  const env = environment as NodeJS.ProcessEnv
  assert.equal(env['AWS_EXECUTION_ENV'], `AWS_Lambda_python${String(version)}`)
  assert.equal(env['_HANDLER'], 'scripted.about')
  assert.equal(env['LAMBDA_TASK_ROOT'], path.join(fixtures, 'python'))
  assert.match(env['LAMBDA_RUNTIME_DIR'] ?? '', /awslambdaric$/)
})

for (const [handler, errorType, message] of [
  ['nowhere.handler', 'Runtime.ImportModuleError', /No module named 'nowhere'/],
  ['scripted.nowhere', 'Runtime.HandlerNotFound', /'nowhere' missing on module 'scripted'/],
  ['broken.handler', 'Runtime.UserCodeSyntaxError', /^Syntax error in module 'broken'/]
] as const) {
  testUnless(noPython, `a Python handler that cannot be started (${handler}) says why, as on Lambda`, async () => {
    await using world = await hosting([python(handler, { runtime: 'python' })])
    const reply = await world.call('py')
    assert.ok(reply.kind === 'function-error', JSON.stringify(reply))
    assert.equal(reply.errorType, errorType)
    assert.match(reply.errorMessage, message)
  })
}

/** A folder with nothing but a `python3` that sees no installed packages. */
function barePython(): { readonly folder: string } & Disposable {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-'))
  const found = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' })
  writeFileSync(path.join(folder, 'python3'), `#!/bin/sh\nexec '${found.stdout.trim()}' -S "$@"\n`, { mode: 0o755 })
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

const noBarePython = spawnSync('python3', ['--version']).status === 0 ? undefined : 'no python3 here'

testUnless(noBarePython, 'without awslambdaric the caller is told what to install, and for which Python', async () => {
  using bare = barePython()
  const environment = { PATH: bare.folder }
  await using world = await hosting([{ ...python('scripted.handler'), environment }])
  const reply = await world.call('py')
  assert.ok(reply.kind === 'function-error', JSON.stringify(reply))
  assert.equal(reply.errorType, 'Runtime.ImportModuleError')
  assert.match(
    reply.errorMessage,
    /^Unable to import module 'awslambdaric'.* (\S+python\S*) -m pip install awslambdaric$/
  )
})

test('without any python3 the caller is told so', async () => {
  await using world = await hosting([python('scripted.handler', { environment: { PATH: '/no/such/folder' } })])
  const reply = await world.call('py')
  assert.ok(reply.kind === 'function-error')
  assert.equal(reply.errorType, 'Runtime.InvalidEntrypoint')
  assert.match(reply.errorMessage, /^Error: cannot start python3 in \S+: ENOENT/)
})

const noGo = withoutGo()

testUnless(
  noGo,
  'a Go function by aws-lambda-go names the records that failed, and fails in its own words',
  async () => {
    await using world = await hosting([{ name: 'go', command: [goProgram()], timeoutSeconds: 20 }])
    assert.deepEqual(JSON.parse(textOf(await world.call('go', event, { requestId: 'r-1' }))), oneFailed)
    assert.equal((await world.log.line(({ message }) => message === 'saw bad')).fields['requestId'], 'r-1')
    const seen = JSON.parse(textOf(await world.call('go', { do: 'about' }, { requestId: 'r-2' }))) as Record<
      string,
      unknown
    >
    const { remainingMs, ...rest } = seen
    const arn = 'arn:aws:lambda:eu-west-1:123456789012:function:go'
    assert.deepEqual(rest, { requestId: 'r-2', arn, name: 'go' })
    assert.ok(Number(remainingMs) > 10_000 && Number(remainingMs) <= 20_000)
    for (const [deed, errorType, message] of [
      ['fail', 'errorString', /^no stock$/],
      ['panic', 'string', /^out of the blue$/],
      ['exit', 'Runtime.ExitError', /^RequestId: \S+ Error: Runtime exited with error: exit status 3$/]
    ] as const) {
      const reply = await world.call('go', { do: deed })
      assert.ok(reply.kind === 'function-error', JSON.stringify(reply))
      assert.equal(reply.errorType, errorType)
      assert.match(reply.errorMessage, message)
      assert.equal(textOf(await world.call('go', { do: 'return', value: 7 })), '7')
    }
  }
)

const noCurl = spawnSync('curl', ['--version']).status === 0 ? undefined : 'no curl here'

testUnless(noCurl, 'a runtime in shell is run by its command, its argument, handler and folder as told', async () => {
  const command = [path.join(fixtures, 'shell-bootstrap'), 'an argument']
  const baseDir = path.join(fixtures, 'python')
  await using world = await hosting([{ name: 'sh', command, handler: 'any.text', baseDir, timeoutSeconds: 20 }])
  const reply = await world.call('sh', { a: 1 })
  assert.deepEqual(JSON.parse(textOf(reply)), {
    event: { a: 1 },
    handler: 'any.text',
    argument: 'an argument',
    cwd: baseDir
  })
  const failed = await world.call('sh', 'fail')
  assert.ok(failed.kind === 'function-error')
  assert.deepEqual([failed.errorType, failed.errorMessage], ['Shell.Failed', 'as asked'])
})
