import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig, type LoadedConfig } from '../../src/app/config.ts'
import { printConfig } from '../../src/app/config/print.ts'
import { localFunctions } from '../../src/app/local-functions.ts'

async function load(functions: string): Promise<LoadedConfig & { readonly cwd: string }> {
  const cwd = await mkdtemp(join(tmpdir(), 'millrace-config-'))
  try {
    await writeFile(join(cwd, 'millrace.yaml'), `functions:\n  ${functions}\n`)
    return { cwd, ...(await loadConfig({ cwd, env: {} })) }
  } finally {
    await rm(cwd, { recursive: true })
  }
}

const usual = { timeoutSeconds: 30, concurrency: 5, memoryMiB: 128 }

test('a command’s program is found from the file, whatever its working directory; the rest is handed on', async () => {
  const { cwd, config } = await load('parse: { command: [ ./bin/bootstrap, --level, 3 ], directory: work }')
  assert.deepEqual(localFunctions(config), [
    {
      name: 'parse',
      ...usual,
      command: [join(cwd, 'bin/bootstrap'), '--level', '3'],
      handler: 'bootstrap',
      environment: config.functions['parse']?.kind === 'command' ? config.functions['parse'].environment : undefined,
      baseDir: join(cwd, 'work'),
      sourceDir: join(cwd, 'work')
    }
  ])
})

test('a bare program is left to the PATH, and may be told the name of its handler', async () => {
  const { cwd, config } = await load(
    'parse: { command: [ python3, -m, awslambdaric, app.handler ], handler: app.handler }'
  )
  const [parse] = localFunctions(config)
  assert.deepEqual([parse?.command?.[0], parse?.handler, parse?.baseDir], ['python3', 'app.handler', cwd])
})

test('a handler says where it runs and by what, and reloads when it is told to', async () => {
  const { cwd, config } = await load(
    'resize: { handler: app.handler, runtime: python, directory: ./resize, reload: true, environment: { TABLE: t } }'
  )
  const [resize] = localFunctions(config)
  const { environment, ...rest } = resize ?? {}
  assert.deepEqual({ ...environment }, { TABLE: 't' })
  const directory = join(cwd, 'resize')
  const said = { handler: 'app.handler', runtime: 'python', reload: true, baseDir: directory, sourceDir: directory }
  assert.deepEqual(rest, { name: 'resize', ...usual, ...said })
})

test('a function that says nothing of reload is left to the host', async () => {
  const { config } = await load('resize: { handler: app.handler }')
  const [resize] = localFunctions(config)
  assert.deepEqual([resize?.reload, resize?.runtime, resize?.sourceDir], [undefined, undefined, undefined])
})

test('local functions are printed as they are written, the values of their environment masked', async () => {
  const loaded = await load('parse: { command: [ ./bootstrap ], environment: { KEY: hidden }, memoryMiB: 512 }')
  const { functions } = JSON.parse(await printConfig(loaded, 'json')) as { functions: { value: unknown } }
  const parse = { ...usual, command: ['./bootstrap'], handler: 'bootstrap', environment: { KEY: '****' } }
  assert.deepEqual(functions.value, { parse: { ...parse, memoryMiB: 512, reload: false } })
})

for (const [what, functions, message] of [
  [
    'a text',
    'parse: { command: ./bootstrap }',
    'functions.parse.command must be a list of a program and its arguments'
  ],
  ['an empty list', 'parse: { command: [] }', /command must be a list of .* got a list without a program/],
  [
    'a list with more than texts',
    'parse: { command: [ ./b, { a: b } ] }',
    'functions.parse.command[1] must be a text, got keys and values'
  ],
  ['a command over HTTP', 'parse: { command: [ a ], http: "http://127.0.0.1" }', 'got http and command'],
  ['a runtime of a command', 'parse: { command: [ a ], runtime: python }', 'functions.parse.runtime'],
  [
    'an unknown runtime',
    'parse: { handler: a.b, runtime: ruby }',
    'functions.parse.runtime must be auto, node or python, got "ruby"'
  ],
  ['a handler with a space', 'parse: { command: [ a ], handler: "a b" }', 'must be 1 to 128 characters without a space']
] as const) {
  test(`the configuration refuses ${what}, naming it`, async () => {
    const fits = (error: Error) =>
      typeof message === 'string' ? error.message.includes(message) : message.test(error.message)
    await assert.rejects(load(functions), (error: Error) => fits(error) || assert.fail(error.message))
  })
}
