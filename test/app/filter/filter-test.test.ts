import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { runCli } from '../../../src/app/cli/program.ts'
import { RecordingIo } from '../../support/recording-io.ts'

async function filterTest(args: readonly string[], world: { cwd?: string; input?: string } = {}) {
  const io = new RecordingIo(world)
  return { code: await runCli(['filter', 'test', ...args], io), out: io.out, err: io.err }
}

/** A pattern for each text, and what else is on the line. */
const patterns = (...texts: string[]): string[] => texts.flatMap(text => ['--pattern', text])

const paid = '{"status":["paid"]}'

async function folder(t: TestContext, files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const cwd = await mkdtemp(join(tmpdir(), 'millrace-filter-'))
  t.after(() => rm(cwd, { recursive: true }))
  for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), content)
  return cwd
}

describe('a value', () => {
  test('that the pattern takes: yes, and exit code 0', async () => {
    const taken = await filterTest([...patterns(paid), '--value', '{"status":"paid"}'])
    assert.deepEqual(taken, { code: 0, out: 'yes\n', err: '' })
  })

  test('that it does not: no, the place, what was wanted and what was there, and exit code 1', async () => {
    const refused = await filterTest([...patterns(paid), '--value', '{"status":"open"}'])
    assert.deepEqual(refused, { code: 1, out: 'no\npattern 1: status: wanted ["paid"], found "open"\n', err: '' })
  })

  test('is taken when one of several patterns takes it; else each says why not', async () => {
    const two = [...patterns(paid, '{"total":[{"numeric":[">",100]}]}')]
    assert.equal((await filterTest([...two, '--value', '{"total":101}'])).out, 'yes\npattern 2: matches\n')
    const { code, out } = await filterTest([...two, '--value', '{"total":1e2}'])
    assert.equal(code, 1)
    assert.equal(
      out,
      'no\npattern 1: status: wanted ["paid"], found nothing\npattern 2: total: wanted [{"numeric":[">",100]}], found 1e2\n'
    )
  })

  test('is told as a table and as JSON too', async () => {
    const table = await filterTest([...patterns(paid), '--value', '{"status":7}', '--output', 'table'])
    assert.equal(table.out, 'no\n\nPATTERN  MATCH  PATH    WANTED    FOUND\n1        no     status  ["paid"]  7\n')
    const json = await filterTest([...patterns(paid), '--value', '{"status":7}', '--output', 'json'])
    assert.deepEqual(JSON.parse(json.out), {
      match: false,
      patterns: [{ pattern: paid, match: false, path: 'status', wanted: '["paid"]', found: '7' }]
    })
  })

  test('comes from a file or stdin, as patterns come from files', async t => {
    const cwd = await folder(t, { 'p.json': `${paid}\n`, 'v.json': '{"status":"paid"}' })
    assert.equal((await filterTest([...patterns('@p.json'), '--value', '@v.json'], { cwd })).code, 0)
    assert.equal((await filterTest([...patterns('@p.json'), '--value', '-'], { cwd, input: '{"status":0}' })).code, 1)
    const missing = await filterTest([...patterns('@none.json'), '--value', '{}'], { cwd })
    assert.equal(missing.code, 2)
    assert.match(
      missing.err,
      /^millrace: The file none\.json of --pattern cannot be read: ENOENT.*MILL_FILTER_INPUT\)\n$/
    )
  })

  test('that is no object or list matches nothing, however broken it is', async () => {
    for (const value of ['text', '"paid"', '12', '{"status":"paid"', '[', '{"status":"paid"}}', 'null']) {
      const { code, out, err } = await filterTest([...patterns('{"a":[{"exists":false}]}'), '--value', value])
      assert.deepEqual([code, err], [1, ''], value)
      assert.equal(out, `no\npattern 1: wanted a JSON object or list, found ${value}\n`)
    }
  })

  test('with a pattern that was made for a mapping gets a hint', async () => {
    const { code, err } = await filterTest([...patterns(`{"value":${paid}}`), '--value', '{"status":"paid"}'])
    assert.equal(code, 1)
    assert.match(err, /leave "value" out, or use --record/)
  })

  test('is not looked at when a pattern is invalid: place and reason, and exit code 2', async () => {
    const invalid: [string, RegExp][] = [
      ['{"a":[{"prefx":"x"}]}', /Pattern 2 cannot be used: a\[0\]\.prefx is no operator: use one of /],
      ['{"a":[]}', /Pattern 2 cannot be used: a must list at least one value, got an empty list\. /],
      ['[1]', /Pattern 2 cannot be used: it must be a JSON object, got /],
      ['{"a":', /Pattern 2 cannot be used: it is not JSON: .* \(position 5\)\. /]
    ]
    for (const [pattern, message] of invalid) {
      const { code, out, err } = await filterTest([...patterns(paid, pattern), '--value', '{}'])
      assert.deepEqual([code, out], [2, ''])
      assert.match(err, message)
      assert.match(err, /\(MILL_FILTER_PATTERN\)\n$/)
    }
  })
})

describe('a record', () => {
  const record = (fields: object): string[] => ['--record', JSON.stringify(fields)]
  const ofMapping = (value: object | unknown[]): string => JSON.stringify({ value })

  test('as the event shows it: value and key are base64, headers lists of signed bytes', async () => {
    const fields = {
      topic: 'orders',
      partition: 3,
      offset: 17,
      timestamp: 1_700_000_000_000,
      timestampType: 'CREATE_TIME',
      key: Buffer.from('k-1').toString('base64'),
      value: Buffer.from('{"status":"paid"}').toString('base64'),
      headers: [{ trace: [97, -61, -92] }]
    }
    const pattern = JSON.stringify({
      value: { status: ['paid'] },
      topic: ['orders'],
      partition: [3],
      offset: [{ numeric: ['>', 16] }],
      timestampType: ['CREATE_TIME'],
      key: ['ay0x'],
      headers: { trace: [-61] }
    })
    assert.deepEqual(await filterTest([...patterns(pattern), ...record(fields)]), { code: 0, out: 'yes\n', err: '' })
    const event = { eventSource: 'aws:kafka', records: { 'orders-3': [fields] } }
    assert.equal((await filterTest([...patterns(pattern), ...record(event)])).code, 0)
    const several = { records: { 'orders-3': [fields, fields] } }
    const refused = await filterTest([...patterns(pattern), ...record(several)])
    assert.equal(refused.code, 2)
    assert.match(refused.err, /must be one record, got an event of 2/)
  })

  test('written by hand: the value as JSON, exactly, or as text; key and headers as texts', async () => {
    const value = ofMapping({ s: ['a'] })
    assert.equal((await filterTest([...patterns(value), ...record({ value: { s: 'a' } })])).code, 0)
    assert.equal((await filterTest([...patterns(value), ...record({ value: '{"s":"a"}' })])).code, 0)
    const big = [...patterns('{"value":{"n":[9007199254740993]}}')]
    assert.equal((await filterTest([...big, '--record', '{"value":{"n":9007199254740993}}'])).code, 0)
    assert.equal((await filterTest([...big, '--record', '{"value":{"n":9007199254740992}}'])).code, 1)
    assert.equal((await filterTest([...patterns('{"value":["test"]}'), ...record({ value: 'test' })])).code, 0)
    assert.equal((await filterTest([...patterns('{"key":["azE="]}'), ...record({ key: 'k1' })])).code, 0)
    const traced = patterns('{"headers":{"trace":[97]}}')
    assert.equal((await filterTest([...traced, ...record({ headers: { trace: 'a' } })])).code, 0)
  })

  test('whose text was guessed to be base64 says so, and can be taken as it stands', async () => {
    const value = Buffer.from('{"s":"a"}').toString('base64')
    const pattern = patterns('{"value":{"s":["a"]}}')
    const guessed = await filterTest([...pattern, ...record({ value })])
    assert.equal(guessed.code, 0)
    assert.match(guessed.err, /The value was read as base64; with --encoding text/)
    const text = await filterTest([...patterns(ofMapping([value])), ...record({ value }), '--encoding', 'text'])
    assert.deepEqual(text, { code: 0, out: 'yes\n', err: '' })
    const wrong = await filterTest([...pattern, ...record({ value: 'a b' }), '--encoding', 'base64'])
    assert.equal(wrong.code, 2)
    assert.match(wrong.err, /has a value that is not base64: "a b"/)
  })

  test('without a value is a tombstone (reference 4.2)', async () => {
    for (const fields of [{}, { value: null }]) {
      assert.equal((await filterTest([...patterns('{"value":[{"exists":false}]}'), ...record(fields)])).code, 0)
      assert.equal((await filterTest([...patterns('{"value":{"a":[1]}}'), ...record(fields)])).code, 1)
    }
  })

  test('of another format passes or is dropped, as the mapping would have it (reference 4.2)', async () => {
    const args = [...patterns('{"value":{"a":[1]}}'), ...record({ value: 'plain' })]
    const passed = await filterTest(args)
    assert.equal(passed.code, 0)
    assert.match(passed.err, /another format than a pattern asks for: conditions on it are left out/)
    const dropped = await filterTest([...args, '--mismatch', 'drop'])
    assert.equal(dropped.code, 1)
    assert.equal(dropped.out, 'no\npattern 1: value.a: wanted [1], found a value of another format\n')
  })

  test('needs the fields that a pattern asks for, and has no others', async () => {
    const asked = await filterTest([...patterns('{"topic":["t"]}'), ...record({ value: 'x' })])
    assert.equal(asked.code, 2)
    assert.match(asked.err, /The record of --record has no topic, which a pattern asks for: add it\./)
    const unknown = await filterTest([...patterns('{"status":["paid"]}'), ...record({ value: 'x' })])
    assert.equal(unknown.code, 2)
    assert.match(unknown.err, /records have no field 'status' to filter by: use value, topic,/)
    const bad: [string, RegExp][] = [
      ['{"vlaue":1}', /has no field 'vlaue': did you mean value\?/],
      ['[1]', /must be a JSON object with value, key, topic and so on, got \[1\]/],
      ['{', /is not JSON: /],
      ['{"offset":1.5}', /must have a whole number as offset, got 1\.5/],
      ['{"topic":7}', /must have a string as topic, got 7/],
      ['{"timestampType":"X"}', /must have CREATE_TIME or LOG_APPEND_TIME as timestampType/],
      ['{"headers":[[1]]}', /must have headers such as/],
      ['{"headers":{"a":[300]}}', /must have a text or a list of bytes as header a, got \[300\]/]
    ]
    for (const [text, message] of bad) {
      const { code, err } = await filterTest([...patterns('{"value":["x"]}'), '--record', text])
      assert.equal(code, 2)
      assert.match(err, message)
    }
  })
})

describe('cases', () => {
  const lines = (...cases: unknown[]): string => cases.map(each => `${JSON.stringify(each)}\n`).join('')

  test('that were recorded from event-ruler and EventBridge agree, all of them', async () => {
    const { code, out, err } = await filterTest(['--cases', 'test/core/filter/cases.jsonl'])
    assert.equal(err, '')
    assert.match(out, /^2\d{3} cases, 0 disagree\n$/)
    assert.equal(code, 0)
  })

  test('that do not come out as they say are told with their line, and set exit code 1', async () => {
    const input = lines(
      { name: 'good', pattern: { a: [1] }, event: { a: 1 }, match: true },
      { name: 'wrong', pattern: { a: [1] }, event: { a: 2 }, match: true },
      { name: 'wrong too', pattern: { a: [1] }, event: { a: 1 }, match: false },
      { name: 'should be valid', pattern: { a: [] }, event: {}, match: false },
      { name: 'should be invalid', pattern: { a: [1] }, invalid: true },
      { name: 'is invalid', patternText: '{"a":', invalid: true }
    )
    const told = await filterTest(['--cases', '-'], { input })
    assert.equal(told.code, 1)
    assert.deepEqual(told.out.split('\n'), [
      'line 2: wrong: expected match, got no match: a: wanted [1], found 2',
      'line 3: wrong too: expected no match, got match: every condition holds',
      'line 4: should be valid: expected no match, got invalid pattern: a must list at least one value, got an empty list',
      'line 5: should be invalid: expected invalid pattern, got valid pattern: the pattern was taken',
      '6 cases, 4 disagree',
      ''
    ])
    const json = (await filterTest(['--cases', '-', '--output', 'json'], { input })).out.trim().split('\n')
    assert.equal(json.length, 5)
    assert.deepEqual(JSON.parse(json[0]!), {
      line: 2,
      name: 'wrong',
      expected: 'match',
      got: 'no match',
      why: 'a: wanted [1], found 2'
    })
    assert.deepEqual(JSON.parse(json[4]!), { cases: 6, disagree: 4 })
    const table = await filterTest(['--cases', '-', '--output', 'table'], { input })
    assert.match(table.out, /^LINE +NAME +EXPECTED +GOT +WHY\n2 +wrong +match +no match +a: wanted \[1\], found 2\n/)
    assert.match(table.out, /\n\n6 cases, 4 disagree\n$/)
  })

  test('take exact texts before values: repeated names, digits, broken JSON', async () => {
    const input = lines(
      { name: 'text wins', pattern: [], patternText: '{"a":[1]}', event: {}, eventText: '{"a":0,"a":1}', match: true },
      { name: 'digits', patternText: '{"a":[9007199254740993]}', eventText: '{"a":9007199254740992}', match: false },
      { name: 'broken', pattern: { a: [{ exists: false }] }, eventText: '{"b":', match: false },
      { name: 'no object', pattern: { a: [{ exists: false }] }, event: 'text', match: false },
      { name: 'half a pair', pattern: { a: [{ exists: true }] }, eventText: '{"a":"\ud800"}', match: true }
    )
    const values =
      '{"name":"as written","pattern":{"a":[9007199254740993]},"event":{"a":9007199254740992},"match":false}\n'
    const { code, out } = await filterTest(['--cases', '-'], { input: input + values })
    assert.equal(out, '6 cases, 0 disagree\n')
    assert.equal(code, 0)
  })

  test('may have empty lines, CRLF, a byte order mark, other fields, separators of Unicode and no newline at the end', async t => {
    const line = '{"pattern":{"a":["\u2028"]},"event":{"a":"\u2028"},"match":true,"source":"x"}'
    const cwd = await folder(t, { 'c.jsonl': `\uFEFF${line}\r\n\r\n  \n${line}` })
    const { code, out } = await filterTest(['--cases', 'c.jsonl'], { cwd })
    assert.equal(out, '2 cases, 0 disagree\n')
    assert.equal(code, 0)
    const none = await filterTest(['--cases', '-'])
    assert.deepEqual([none.code, none.out, none.err], [0, '0 cases, 0 disagree\n', 'millrace: There were no cases.\n'])
  })

  test('that are none end the run with their line and exit code 2', async t => {
    const good = '{"pattern":{"a":[1]},"event":{"a":1},"match":true}'
    const bad: [string | Buffer, RegExp][] = [
      ['{"pattern"', /Line 3 of the cases is not JSON: /],
      ['7', /must be a JSON object with name, pattern, event and match/],
      ['{"event":{},"match":true}', /must have pattern or patternText/],
      ['{"pattern":{"a":[1]},"match":true}', /must have event or eventText/],
      ['{"pattern":{"a":[1]},"event":{}}', /must say match \(true or false\) or invalid \(true\)/],
      ['{"pattern":{"a":[1]},"event":{},"match":"yes"}', /must have true or false as match, got "yes"/],
      ['{"pattern":{"a":[1]},"event":{},"match":true,"invalid":true}', /says both/],
      ['{"patternText":1,"event":{},"match":true}', /must have a string as patternText, got 1/],
      ['{"name":1,"pattern":{},"event":{},"match":true}', /must have a string as name, got 1/],
      [Buffer.from([0x22, 0xff, 0x22]), /is not UTF-8/],
      [`{"pattern":{"a":[1]},"event":${'['.repeat(100_000)}${']'.repeat(100_000)},"match":true}`, /nested too deeply/]
    ]
    for (const [line, message] of bad) {
      const cwd = await folder(t, { 'c.jsonl': Buffer.concat([Buffer.from(`${good}\n\n`), Buffer.from(line)]) })
      const { code, err } = await filterTest(['--cases', 'c.jsonl'], { cwd })
      assert.equal(code, 2)
      assert.match(err, /Line 3 of the cases/)
      assert.match(err, message)
    }
    const missing = await filterTest(['--cases', 'none.jsonl'])
    assert.equal(missing.code, 2)
    assert.match(missing.err, /The file none\.jsonl of --cases cannot be read: ENOENT/)
  })

  test('a signal ends a long file with what was counted so far', async () => {
    const io = new RecordingIo({ input: '{"pattern":{"a":[1]},"event":{"a":1},"match":true}\n'.repeat(1000) })
    io.interrupt()
    assert.equal(await runCli(['filter', 'test', '--cases', '-'], io), 130)
    assert.match(io.out, /^0 cases/)
  })
})
