import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Command } from 'commander'
import { createProgram, runCli, type Actions } from '../../../src/app/cli/program.ts'
import { MillraceError } from '../../../src/core/errors.ts'
import { RecordingIo } from '../../support/recording-io.ts'

/** Runs a command line; the commands only note that they were called. */
async function run(args: readonly string[], answer: () => Promise<number> = async () => 0) {
  const io = new RecordingIo()
  const calls: { command: string; flags: unknown }[] = []
  const note = (command: string) => (flags: unknown) => {
    calls.push({ command, flags })
    return answer()
  }
  const actions: Actions = {
    serve: note('serve'),
    demo: note('demo'),
    dev: note('dev'),
    send: note('send'),
    tail: note('tail'),
    broker: note('broker'),
    mappings: note('mappings'),
    filter: note('filter'),
    policy: note('policy'),
    doctor: note('doctor')
  }
  return { code: await runCli(args, io, actions), out: io.out, err: io.err, calls }
}

test('--version prints the version of the package on stdout', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  assert.deepEqual(await run(['--version']), { code: 0, out: `${version}\n`, err: '', calls: [] })
})

test('--help lists the commands on stdout', async () => {
  const { code, out, err } = await run(['--help'])
  assert.equal(code, 0)
  assert.equal(err, '')
  for (const command of ['serve', 'demo', 'broker', 'mappings', 'filter', 'policy', 'doctor'])
    assert.match(out, new RegExp(`^ {2}${command} `, 'm'))
})

test('no command at all is a usage error that shows the help on stderr', async () => {
  const { code, out, err } = await run([])
  assert.equal(code, 2)
  assert.equal(out, '')
  assert.match(err, /^Usage: millrace/)
})

test('unknown commands and flags are usage errors that suggest what was meant', async () => {
  const command = await run(['srve'])
  assert.equal(command.code, 2)
  assert.match(command.err, /unknown command 'srve'\n\(Did you mean serve\?\)/)
  const flag = await run(['serve', '--lisen', 'x'])
  assert.equal(flag.code, 2)
  assert.match(flag.err, /unknown option '--lisen'\n\(Did you mean --listen\?\)\n[^]*millrace serve --help/)
  const more = await run(['demo', 'now'])
  assert.equal(more.code, 2)
  assert.deepEqual(more.calls, [])
})

test('serve hands its flags to the configuration unchecked', async () => {
  const { calls } = await run(
    'serve --config c.yaml --listen a:1 --admin-listen b:2 --data-dir d --workers 3 --log-level warn --grace 4'.split(
      ' '
    )
  )
  assert.deepEqual(calls, [
    {
      command: 'serve',
      flags: {
        configFile: 'c.yaml',
        options: {
          listen: 'a:1',
          adminListen: 'b:2',
          dataDir: 'd',
          workers: '3',
          logLevel: 'warn',
          graceSeconds: '4'
        },
        printConfig: false,
        output: 'text'
      }
    }
  ])
  const bare = await run(['serve', '--print-config', '--output', 'json'])
  assert.deepEqual(bare.calls[0]?.flags, { configFile: undefined, options: {}, printConfig: true, output: 'json' })
})

test('demo has defaults and limits', async () => {
  assert.deepEqual((await run(['demo'])).calls[0]?.flags, { records: 20_000, partitions: 6, output: 'text' })
  const few = await run(['demo', '--records', 'many'])
  assert.equal(few.code, 2)
  assert.match(
    few.err,
    /option '--records <N>' argument 'many' is invalid\. It must be a whole number from 100 to 1000000\./
  )
  assert.equal((await run(['demo', '--output', 'xml'])).code, 2)
})

test('broker reads an address and topics', async () => {
  const { calls } = await run([
    'broker',
    '--listen',
    '[::1]:0',
    '--topic',
    'orders:4',
    '--topic',
    'payments',
    '--max-mib',
    '8'
  ])
  assert.deepEqual(calls[0]?.flags, {
    listen: { host: '::1', port: 0 },
    maxMib: 8,
    output: 'text',
    topics: [
      { name: 'orders', partitions: 4 },
      { name: 'payments', partitions: 1 }
    ]
  })
})

test('broker refuses addresses, topics and sizes that cannot be', async () => {
  const wrong = [
    ['--listen', '9092'],
    ['--topic', ':3'],
    ['--topic', 'a b:3'],
    ['--topic', '..:3'],
    ['--topic', 'a:0'],
    ['--topic', 'a:b'],
    ['--max-mib', '0']
  ]
  for (const flags of wrong) {
    const { code, err, calls } = await run(['broker', ...flags])
    assert.deepEqual({ code, calls }, { code: 2, calls: [] }, flags.join(' '))
    assert.match(err, /is invalid\. It must be/)
  }
  const twice = await run(['broker', '--topic', 'a:1', '--topic', 'a:2'])
  assert.match(twice.err, /a is named twice/)
})

test('dev refuses flags that would mean nothing beside the others', async () => {
  const handler = ['--handler', './orders.handler', '--topic', 'orders']
  const wrong: readonly (readonly [flags: readonly string[], says: RegExp])[] = [
    [[...handler, '--timeout', '5'], /--timeout goes with --once/],
    [[...handler, '--broker-listen', '127.0.0.1:9092', '--bootstrap', '127.0.0.1:9093'], /cannot be used with/],
    [[...handler, '--parameter', 'Stage=test'], /--parameter goes with a template, not with --handler/],
    [[...handler, '--resource', 'Table=t'], /--resource goes with a template, not with --handler/],
    [[...handler, '--import', 'vpc=v'], /--import goes with a template, not with --handler/],
    [[...handler, '--env-vars', 'env.json'], /--env-vars goes with a template, not with --handler/]
  ]
  for (const [flags, says] of wrong) {
    const { code, err, calls } = await run(['dev', ...flags])
    assert.deepEqual({ code, calls }, { code: 2, calls: [] }, flags.join(' '))
    assert.match(err, says)
  }
  assert.equal((await run(['dev', ...handler, '--once', '--timeout', '5'])).code, 0)
})

test('the exit code is what the command says, or what its error means', async () => {
  const failing = (error: Error) =>
    run(['serve'], async () => {
      throw error
    })
  assert.equal((await run(['demo'], async () => 130)).code, 130)
  const usage = await failing(new MillraceError('MILL_CONFIG_FILE_MISSING', ['a.yaml']))
  assert.equal(usage.code, 2)
  assert.equal(usage.err, 'millrace: Configuration file a.yaml does not exist. (MILL_CONFIG_FILE_MISSING)\n')
  assert.equal((await failing(new MillraceError('MILL_LISTEN', ['a', 'b', 'c']))).code, 1)
  assert.equal((await failing(new MillraceError('MILL_MAPPING_NOT_FOUND'))).code, 3)
  assert.equal((await failing(new MillraceError('MILL_AUTH_SIGNATURE'))).code, 4)
  const fault = await failing(new TypeError('broken inside'))
  assert.equal(fault.code, 1)
  assert.match(fault.err, /^millrace: TypeError: broken inside\n +at /)
})

test('every example of every help text is a command line that is taken', async () => {
  const program = createProgram(new RecordingIo(), { ...unused }, () => undefined)
  for (const path of commandPaths(program)) {
    const { out } = await run([...path, '--help'])
    const examples = [...out.matchAll(/^ {2}millrace ([a-z].*?)(?: {2,}.*)?$/gm)].map(([, args]) => args!.split(' '))
    assert.ok(examples.length >= 2, `${path.join(' ')} has examples`)
    for (const args of examples) {
      const { code, calls, err } = await run(args)
      assert.deepEqual({ code, calls: calls.length }, { code: 0, calls: 1 }, `${args.join(' ')}: ${err}`)
    }
  }
})

const unused: Actions = {
  serve: async () => 0,
  demo: async () => 0,
  dev: async () => 0,
  send: async () => 0,
  tail: async () => 0,
  broker: async () => 0,
  mappings: async () => 0,
  filter: async () => 0,
  policy: async () => 0,
  doctor: async () => 0
}

/** The program itself, its commands, and those below them. */
function commandPaths(command: Command): string[][] {
  return [[], ...command.commands.flatMap(sub => commandPaths(sub).map(path => [sub.name(), ...path]))]
}
