import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { openLog, type LogOptions } from '../../../src/adapters/log/pino.ts'

function setup(level: LogOptions['level'] = 'debug') {
  const lines: Record<string, unknown>[] = []
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) }
  return { lines, log: openLog({ level, destination }) }
}

test('a line is JSON with level, time, fields and message', () => {
  const { log, lines } = setup()
  log.info({ mapping: 'm-1', partition: 3, offset: 12n }, 'a batch was settled')
  const { time, ...line } = lines[0]!
  assert.deepEqual(line, {
    level: 'info',
    pid: process.pid,
    mapping: 'm-1',
    partition: 3,
    offset: 12,
    message: 'a batch was settled'
  })
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('what lies under the level is not written', () => {
  const { log, lines } = setup('warn')
  log.debug({}, 'a')
  log.info({}, 'b')
  log.warn({}, 'c')
  log.error({}, 'd')
  assert.deepEqual(
    lines.map(line => line['message']),
    ['c', 'd']
  )
  const silent = setup('silent')
  silent.log.error({}, 'e')
  assert.equal(silent.lines.length, 0)
})

test('a line that names a field of its log again holds the name once, with its own value', () => {
  const written: string[] = []
  const log = openLog({ level: 'info', destination: { write: line => void written.push(line) } })
  log.child({ topic: 'orders' }).info({ topic: 'payments' }, 'renamed')
  assert.equal(written[0]?.match(/"topic":"[a-z]+"/g)?.join(), '"topic":"payments"')
})

test('every line of a child carries its fields', () => {
  const { log, lines } = setup()
  log.child({ mapping: 'm-1' }).child({ topic: 'orders' }).error({ partition: 0 }, 'held')
  assert.equal(lines[0]!['mapping'], 'm-1')
  assert.equal(lines[0]!['topic'], 'orders')
  assert.equal(lines[0]!['partition'], 0)
})

test('fields that sound like a secret are masked, at any depth and in children', () => {
  const { log, lines } = setup()
  const headers = { authorization: 'Bearer hidden', Cookie: 'hidden', 'x-amz-security-token': 'hidden' }
  log.child({ apiKey: 'hidden' }).info(
    {
      accessKeyId: 'seen',
      secretAccessKey: 'hidden',
      tokenCount: 3,
      password: '',
      calls: [{ headers, url: 'seen' }],
      secrets: { a: 'hidden' }
    },
    'configured'
  )
  const text = JSON.stringify(lines)
  assert.doesNotMatch(text, /hidden/)
  assert.equal(lines[0]!['accessKeyId'], 'seen')
  assert.equal(lines[0]!['tokenCount'], 3)
  assert.equal(lines[0]!['password'], '')
  assert.match(text, /"url":"seen"/)
})

test('an error is written with its message and stack, under err and under error', () => {
  const { log, lines } = setup()
  log.warn({ err: new TypeError('broken'), error: 'plain text' }, 'failed')
  log.warn({ error: new Error('other') }, 'failed')
  const err = lines[0]!['err'] as Record<string, string>
  assert.equal(err['type'], 'TypeError')
  assert.match(err['stack'] ?? '', /pino\.test\.ts/)
  assert.equal(lines[0]!['error'], 'plain text')
  assert.equal((lines[1]!['error'] as Record<string, string>)['message'], 'other')
})

test('fields that contain themselves, or are very deep, are written all the same', () => {
  const { log, lines } = setup()
  const loop: Record<string, unknown> = { name: 'loop' }
  loop['self'] = loop
  log.info({ loop }, 'turning')
  assert.match(JSON.stringify(lines[0]), /"\[deeper\]"/)
})

test('lines go to stderr and nothing to stdout, also from a thread that is about to die', () => {
  const source = `
    import { Worker } from 'node:worker_threads'
    const code = "import('./src/adapters/log/pino.ts').then(({ openLog }) => { openLog({ level: 'info' }).error({}, 'last words'); process.exit(3) })"
    new Worker(code, { eval: true }).on('exit', status => process.exit(status))
  `
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' })
  assert.equal(run.status, 3, run.stderr)
  assert.equal(run.stdout, '')
  assert.match(run.stderr, /"message":"last words"/)
})
