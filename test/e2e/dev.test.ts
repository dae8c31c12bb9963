import assert from 'node:assert/strict'

import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { DevFolder, type DevProcess } from '../support/dev-folder.ts'
import { eventually } from '../support/poll.ts'

const handler = (word: string) => `
export const handler = async event => {
  for (const { value } of Object.values(event.records).flat()) {
    const text = Buffer.from(value ?? '', 'base64').toString()
    console.log('${word} ' + text + ' ' + process.pid)
    if (text.includes('bad')) throw new Error('no stock')
  }
}
`

/** `more`: of the event. */
const template = (more = '') => `
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: { Type: String, Default: test }
Resources:
  Failures: { Type: AWS::SQS::Queue }
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: nodejs22.x
      Timeout: 20
      Environment: { Variables: { STAGE: !Ref Stage } }
      Events:
        Kafka:
          Type: MSK
          Properties:
            Stream: arn:aws:kafka:eu-west-1:123456789012:cluster/shop/66c00183-efc6-4131-8478-9ea83dabbeb2-1
            Topics: [orders]
            StartingPosition: TRIM_HORIZON
            ${more}
`
const giveUp =
  'MaximumRetryAttempts: 1\n            DestinationConfig: { OnFailure: { Destination: !GetAtt Failures.Arn } }'

const shop = (more?: string) => DevFolder.make({ 'template.yaml': template(more), 'src/app.mjs': handler('first') })

const said = (dev: DevProcess, text: string) =>
  dev.event('function-line', ({ text: line }) => String(line).startsWith(text))

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Whether somebody listens there. */
async function isOpen(address: string): Promise<boolean> {
  const port = Number(address.slice(address.lastIndexOf(':') + 1).replace('/', ''))
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

suite('a developer runs a SAM template', { concurrency: false, timeout: 300_000 }, () => {
  test('records are seeded, the handler is edited while they flow, and after Ctrl-C nothing is left', async () => {
    await using folder = await shop()
    folder.write('records.jsonl', '{"topic":"orders","key":"a","value":"one"}\n')
    const dev = folder.start(['dev', '--seed', 'records.jsonl', '--output', 'json'])
    const { broker, api, admin } = await dev.event('ready')
    await said(dev, 'first one')
    folder.write('src/app.mjs', handler('second'))
    await dev.event('function-reloaded')
    assert.equal((await folder.run(['send', 'orders', 'two'])).code, 0)
    await said(dev, 'second two')
    const functions = dev.events.filter(({ kind }) => kind === 'function-started').map(({ pid }) => Number(pid))
    assert.equal(functions.length >= 2, true)
    assert.equal(existsSync(join(folder.path, '.millrace/dev.json')), true)

    assert.equal(await dev.stop('SIGINT'), 0)
    await eventually(() => functions.every(pid => !isAlive(pid)), {
      describe: 'the processes of the function have gone'
    })
    for (const address of [broker, api, admin]) assert.equal(await isOpen(String(address)), false, String(address))
    assert.equal(existsSync(join(folder.path, '.millrace/dev.json')), false)
    const { records, calls, givenUp } = dev.events.at(-1)!
    assert.deepEqual(
      { kind: dev.events.at(-1)!['kind'], records, calls, givenUp },
      { kind: 'ended', records: 2, calls: 2, givenUp: 0 }
    )
  })

  test('its function’s process is started before the broker is up, and waits when the first batch closes', async () => {
    await using folder = await shop()
    folder.write('records.jsonl', '{"topic":"orders","value":"one"}\n')
    const dev = folder.start(['dev', '--seed', 'records.jsonl', '--once', '--output', 'json'])
    const called = await dev.event('function-called')
    const at = (kind: string) => dev.events.findIndex(event => event['kind'] === kind)
    assert.ok(at('function-started') < at('broker'), dev.out)
    assert.ok(at('function-ready') < at('call-started'), dev.out)
    assert.equal(called['instance'], dev.events[at('function-started')]?.['instance'])
    assert.equal(await dev.ended(), 0)
    assert.equal(dev.events.filter(({ kind }) => kind === 'function-started').length, 1)
  })

  test('a handler that breaks is told at once, and again after a change that does not mend it, with no record sent', async () => {
    await using folder = await shop()
    folder.write('src/app.mjs', 'export const handler = async () => {')
    const dev = folder.start(['dev', '--output', 'json'])
    await dev.event('function-start-failed', ({ errorType }) => errorType === 'Runtime.UserCodeSyntaxError')
    await dev.event('ready')
    folder.write('src/app.mjs', 'export const other = 1')
    await dev.event('function-start-failed', ({ errorType }) => errorType === 'Runtime.HandlerNotFound')
    folder.write('src/app.mjs', handler('mended'))
    await dev.event('function-ready')
    assert.equal((await folder.run(['send', 'orders', 'one'])).code, 0)
    await said(dev, 'mended one')
    assert.equal(await dev.stop('SIGINT'), 0)
  })

  test('--once exits 0 when all went well, also at the second try', async () => {
    await using folder = await shop()
    folder.write(
      'src/app.mjs',
      `import { existsSync, writeFileSync } from 'node:fs'
       export const handler = async () => {
         if (existsSync('/${folder.path}/tried')) return
         writeFileSync('/${folder.path}/tried', '')
         throw new Error('not yet')
       }`
    )
    folder.write('records.jsonl', '{"topic":"orders","value":"one"}\n\n{"topic":"orders","value":2}\n')
    const { code, stdout, stderr } = await folder.run(['dev', '--seed', 'records.jsonl', '--once'])
    assert.equal(code, 0, stderr + stdout)
    assert.match(stdout, / failed +\w{8} .*Error: not yet; failed once, again in /)
    assert.match(stdout, / ended +2 records in, .* nothing given up/)
  })

  test('--once exits 1 when a record was given up, which then lies in a file, as nobody answers for AWS', async () => {
    await using folder = await shop(giveUp)
    folder.write('records.jsonl', '{"topic":"orders","key":"k","value":"bad"}\n')
    const { code, stdout, stderr } = await folder.run(['dev', 'template.yaml', '--seed', 'records.jsonl', '--once'])
    assert.equal(code, 1, stderr + stdout)
    assert.match(
      stdout,
      /note +arn:aws:sqs:us-east-1:000000000000:local-Failures is the file sqs-local-Failures\.jsonl/
    )
    assert.match(stdout, /note +arn:aws:kafka:eu-west-1:123456789012:cluster\/shop\/\S+ is the embedded broker here/)
    assert.match(
      stdout,
      / gave up +\w{8} +1 record +orders-\d@0 +after the last try, 2 calls, to file:sqs-local-Failures\.jsonl/
    )
    const [document = ''] = folder.read('.millrace/destinations/sqs-local-Failures.jsonl').split('\n')
    assert.equal(
      (JSON.parse(document) as { requestContext: { condition: string } }).requestContext.condition,
      'RetryAttemptsExhausted'
    )
  })

  test('--once exits 1 when its time is over, and names what is not settled', async () => {
    await using folder = await shop()
    folder.write('records.jsonl', '{"topic":"orders","value":"bad","partition":1}\n')
    const { code, stdout } = await folder.run(['dev', '--seed', 'records.jsonl', '--once', '--timeout', '4'])
    assert.equal(code, 1, stdout)
    assert.match(stdout, /not settled within 4 s: orders-1: 1/)
  })

  const hanging = `export const handler = () => { console.log('begun'); return new Promise(() => setTimeout(() => {}, 60_000)) }`

  test('--once whose time is over does not wait for a call that hangs', async () => {
    await using folder = await shop()
    folder.write('src/app.mjs', hanging)
    folder.write('records.jsonl', '{"topic":"orders","value":"one"}\n')
    const args = ['dev', '--seed', 'records.jsonl', '--once', '--timeout', '4', '--output', 'json']
    const dev = folder.start(args)
    assert.equal(await dev.ended(), 1)
    assert.ok(dev.events.some(({ kind }) => kind === 'timeout'))
    const answer = await dev.event('function-answered')
    assert.equal(answer['errorType'], 'Runtime.ExitError', 'not the function’s own timeout ended it')
  })

  test('Ctrl-C in the middle of a call says what is waited for, and a second one ends it', async () => {
    await using folder = await shop()
    folder.write('src/app.mjs', hanging)
    const dev = folder.start(['dev', '--output', 'json'])
    await dev.event('ready')
    assert.equal((await folder.run(['send', 'orders', 'one'])).code, 0)
    await said(dev, 'begun')
    process.kill(dev.pid, 'SIGINT')
    assert.equal((await dev.event('stopping'))['calls'], 1)
    assert.equal(await dev.stop('SIGINT'), 130)
    const pids = dev.events.filter(({ kind }) => kind === 'function-started').map(({ pid }) => Number(pid))
    await eventually(() => pids.every(pid => !isAlive(pid)), { describe: 'the processes of the function have gone' })
  })

  test('--once that is interrupted exits 130', async () => {
    await using folder = await shop()
    const dev = folder.start(['dev', '--once', '--output', 'json'])
    await dev.event('ready')
    assert.equal(await dev.stop('SIGINT'), 130)
  })

  test('--print-config shows functions and mappings with the parameters that were given, and starts nothing', async () => {
    await using folder = await shop(giveUp)
    const { code, stdout } = await folder.run(['dev', '--parameter', 'Stage=prod', '--print-config'])
    assert.equal(code, 0)
    const plan = JSON.parse(stdout) as {
      functions: Record<string, { environment: object; timeoutSeconds: number }>
      mappings: { EventSourceArn: string; MaximumRetryAttempts: number }[]
    }
    assert.deepEqual(plan.functions['Orders']?.environment, { STAGE: 'prod' })
    assert.equal(plan.functions['Orders'].timeoutSeconds, 20)
    assert.equal(plan.mappings[0]?.MaximumRetryAttempts, 1)
    assert.equal(existsSync(join(folder.path, '.millrace')), false)
  })
})

suite('a developer runs a handler file', { concurrency: false, timeout: 300_000 }, () => {
  test('what is sent is tailed to the same bytes, by the dev that is found in a folder above', async () => {
    await using folder = await DevFolder.make({ 'orders.mjs': handler('got'), 'sub/folder/x': '' })
    const dev = folder.start([
      'dev',
      '--handler',
      './orders.handler',
      '--topic',
      'orders:2',
      '--topic',
      'copies:2',
      '--output',
      'json'
    ])
    await dev.event('ready')
    const bytes = Buffer.from([0, 255, 128, 10, 13])
    const lines = [
      {
        key: 'k',
        value: 'text\nwith lines',
        partition: 0,
        timestamp: 1_700_000_000_000,
        headers: { a: 'x', b: ['1', '2'] }
      },
      {
        keyBase64: bytes.toString('base64'),
        valueBase64: bytes.toString('base64'),
        partition: 1,
        headersBase64: { raw: '/w==' }
      },
      { key: 'gone', value: null, partition: 1 },
      { value: '', partition: 0, headers: { none: null } }
    ]
    folder.write('in.jsonl', `\n${lines.map(line => JSON.stringify(line)).join('\n')}\n`)
    const sent = await folder.shell('cd sub/folder && millrace send orders --file ../../in.jsonl --output json')
    assert.equal(sent.code, 0, sent.stderr)
    const places = sent.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as object)
    assert.deepEqual(places, [
      { topic: 'orders', partition: 0, offset: 0 },
      { topic: 'orders', partition: 1, offset: 0 },
      { topic: 'orders', partition: 1, offset: 1 },
      { topic: 'orders', partition: 0, offset: 1 }
    ])
    const piped = await folder.shell(
      `millrace tail orders --from earliest --no-follow --output json | sed 's/"topic":"orders",//' | millrace send copies --file -`
    )
    assert.equal(piped.code, 0, piped.stderr)
    const copies = await folder.run(['tail', 'copies', '--from', 'earliest', '--no-follow', '--output', 'json'])
    const read = copies.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
    const byPartition = (partition: number) => read.filter(record => record['partition'] === partition)
    assert.deepEqual(
      byPartition(0).map(({ topic: _, offset: __, ...record }) => record),
      [lines[0], { ...lines[3], timestamp: byPartition(0)[1]!['timestamp'] }]
    )
    assert.deepEqual(
      byPartition(1).map(({ topic: _, offset: __, timestamp: ___, ...record }) => record),
      lines.slice(1, 3)
    )
    assert.equal(await dev.stop('SIGTERM'), 0)
  })

  test('lines of stdin are records, a value with key and header is one, and tail shows the newest', async () => {
    await using folder = await DevFolder.make({ 'orders.mjs': handler('got') })
    const dev = folder.start(['dev', '--handler', './orders.handler', '--topic', 'orders:1', '--output', 'json'])
    await dev.event('ready')
    const lines = await folder.run(['send', 'orders', '--key', 'same'], { input: 'a b\r\n\nc' })
    assert.equal(lines.stdout, '3 records sent to orders (0@0, 0@1, 0@2)\n')
    await folder.run(['send', 'orders', 'v', '--key', 'k', '--header', 'h=1', '--header', 'h=2', '--partition', '0'])
    const tail = await folder.run(['tail', 'orders', '--from', '2', '--no-follow'])
    assert.match(tail.stdout, /^\S+ orders-0@2 key=same c\n\S+ orders-0@3 key=k \[h=1 h=2\] v\n$/)
    assert.equal(await dev.stop(), 0)
  })

  test('a dev that was killed is not taken for one that runs, and leaves no function behind', async () => {
    await using folder = await DevFolder.make({ 'orders.mjs': handler('got') })
    const args = ['dev', '--handler', './orders.handler', '--topic', 'orders', '--output', 'json']
    const dev = folder.start(args)
    await dev.event('ready')
    const second = await folder.run(args)
    assert.equal(second.code, 1)
    assert.match(second.stderr, /MILL_DEV_RUNNING/)
    await folder.run(['send', 'orders', 'x'])
    const { pid } = await dev.event('function-started')
    await said(dev, 'got x')
    await dev.kill()
    const { code, stderr } = await folder.run(['send', 'orders', 'x'])
    assert.equal(code, 3)
    assert.match(
      stderr,
      /No "millrace dev" runs in .* \(the one of process \d+ has ended without a word\).*MILL_DEV_NOT_FOUND/
    )
    await eventually(() => !isAlive(Number(pid)), { describe: 'the process of the function has gone' })
    const again = folder.start(args)
    await again.event('ready')
    assert.equal(await again.stop(), 0)
  })
})

suite('a developer writes millrace.yaml', { concurrency: false, timeout: 300_000 }, () => {
  const config = `
functions:
  orders: { handler: ./orders.handler }
mappings:
  - FunctionName: orders
    Topics: [orders]
    StartingPosition: TRIM_HORIZON
    FilterCriteria: { Filters: [{ Pattern: '{"value":{"amount":[{"numeric":[">",0]}]}}' }] }
`
  test('its mappings run on a broker that is named, with topics made there', async () => {
    await using folder = await DevFolder.make({ 'orders.mjs': handler('got'), 'millrace.yaml': config })
    const broker = folder.start(['broker', '--listen', '127.0.0.1:0'])
    const [bootstrap] = await broker.says(/^127\.0\.0\.1:\d+(?=\n)/)
    folder.write('r.jsonl', '{"topic":"orders","value":{"amount":0}}\n{"topic":"orders","value":{"amount":1}}\n')
    const args = ['dev', '--bootstrap', bootstrap, '--partitions', '1', '--seed', 'r.jsonl', '--once']
    const { code, stdout, stderr } = await folder.run(args)
    assert.equal(code, 0, stderr + stdout)
    assert.match(stdout, /broker +Kafka on 127\.0\.0\.1:\d+; topics made: orders/)
    assert.match(stdout, / in +orders-0@0\.\.1 +1 record, 1 filtered out/)
    assert.match(stdout, / log +\w{8} +got \{"amount":1\}/)
    assert.equal(await broker.stop(), 0)
  })

  test('what a mapping may not be is refused with its place, before anything starts', async () => {
    await using folder = await DevFolder.make({
      'orders.mjs': handler('got'),
      'millrace.yaml': config.replace('[orders]', '[orders]\n    BatchSize: 0')
    })
    const bad = await folder.run(['dev'])
    assert.equal(bad.code, 2)
    assert.match(bad.stderr, /mappings\[0\] \(millrace\.yaml, line 5\).*batchSize.*greater than or equal to 1/)
    folder.write('millrace.yaml', config.replace('Topics', 'Topic'))
    assert.match((await folder.run(['dev'])).stderr, /mappings\[0\]\.Topic .*Did you mean Topics/)
    folder.write('millrace.yaml', config)
    const flagged = await folder.run(['dev', '--parameter', 'Stage=test'])
    assert.equal(flagged.code, 2)
    assert.match(flagged.stderr, /--parameter Stage goes with a template, .* mappings of millrace\.yaml: name the/)
    assert.equal(existsSync(join(folder.path, '.millrace')), false)
  })
})

suite('bad input is refused naming the field', { concurrency: false, timeout: 300_000 }, () => {
  const cases: readonly (readonly [title: string, line: string, says: RegExp])[] = [
    ['no value', '{"key":"k"}', /Line 2 of in\.jsonl has no value: give value, valueBase64/],
    ['a misspelt field', '{"vale":1}', /Line 2 of in\.jsonl has no field "vale": did you mean value\?/],
    ['another topic', '{"value":"a","topic":"other"}', /topic other, but orders is where they go/]
  ]
  test('a file with a line that is wrong sends nothing', async () => {
    await using folder = await DevFolder.make()
    const broker = folder.start(['broker', '--listen', '127.0.0.1:0', '--topic', 'orders:1'])
    const [bootstrap] = await broker.says(/^127\.0\.0\.1:\d+(?=\n)/)
    for (const [title, line, says] of cases) {
      folder.write('in.jsonl', `{"value":"first"}\n${line}\n`)
      const { code, stderr } = await folder.run(['send', 'orders', '--file', 'in.jsonl', '--bootstrap', bootstrap])
      assert.match(stderr, says, title)
      assert.equal(code, 2, title)
    }
    const { stdout } = await folder.run([
      'tail',
      'orders',
      '--from',
      'earliest',
      '--no-follow',
      '--bootstrap',
      bootstrap
    ])
    assert.equal(stdout, '')
    const unknown = await folder.run(['tail', 'nowhere', '--bootstrap', bootstrap])
    assert.deepEqual([unknown.code, /MILL_TOPIC_UNKNOWN/.test(unknown.stderr)], [3, true])
    assert.equal(await broker.stop(), 0)
  })

  test('--inspect where no function is run by Node says so', async () => {
    await using folder = await DevFolder.make({
      'orders.py': 'def handler(event, context): pass\n',
      'a.mjs': handler('got')
    })
    const notes = async (name: string) => {
      const { stdout } = await folder.run([
        'dev',
        '--handler',
        name,
        '--topic',
        'orders',
        '--inspect',
        '--print-config'
      ])
      return (JSON.parse(stdout) as { notes: string[] }).notes
    }
    assert.deepEqual(await notes('./orders.handler'), ['--inspect is for functions on Node, and there are none'])
    assert.deepEqual(await notes('./a.handler'), [])
  })

  test('a folder without anything to run says what would do', async () => {
    await using folder = await DevFolder.make({ 'orders.mjs': handler('got'), 'seeds.jsonl': '{"value":"x"}' })
    const nothing = await folder.run(['dev'])
    assert.deepEqual(
      [nothing.code, /millrace dev --handler .\/orders\.handler --topic orders/.test(nothing.stderr)],
      [2, true]
    )
    const noTopic = await folder.run(['dev', '--handler', './orders.handler'])
    assert.match(noTopic.stderr, /--handler \.\/orders\.handler needs a topic/)
    const seeds = await folder.run([
      'dev',
      '--handler',
      './orders.handler',
      '--topic',
      'orders',
      '--seed',
      'seeds.jsonl'
    ])
    assert.match(seeds.stderr, /A record of seeds\.jsonl has no topic/)
    const open = await folder.run(['dev', '--handler', './orders.mjs', '--topic', 'orders', '--listen', '0.0.0.0:0'])
    assert.match(open.stderr, /listen must be an address of loopback/)
    assert.deepEqual([noTopic.code, seeds.code, open.code], [2, 2, 2])
  })
})
