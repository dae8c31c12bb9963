import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { CompiledPatterns } from '../../../src/core/filter/compiler.ts'
import { readJson } from '../../../src/core/filter/json.ts'
import { parsePattern, PatternError, type Pattern } from '../../../src/core/filter/language.ts'
import { matches } from '../../../src/core/filter/matcher.ts'
import { scanned } from './cases.ts'

const names = fc.constantFrom('a', 'b', 'c', 'a-b', 'ä', '', 'a.b', 'b.a.c')
const strings = fc.oneof(
  fc.constantFrom(
    '',
    'x',
    'xy',
    'Xy',
    'xyx',
    'ß',
    'SS',
    'İ',
    'é',
    'É',
    '10.0.0.1',
    '::1',
    '1::',
    'x*y',
    'x\\y',
    '"',
    '😀'
  ),
  fc.string({ maxLength: 4, unit: fc.constantFrom('x', 'y', 'X', '\\', '"', '\n', 'é', '😀') })
)
const numbers = fc.constantFrom(
  ...`0 -0 1 1.0 10e-1 2 0.5 5E-1 100 1e2 -3 0.1 0.10 9007199254740992 9007199254740993 9007199254740993.0
     1e400 1e-400 123456789012345678901234567890 1e22 1e23`.split(/\s+/)
)
const text = strings.map(value => JSON.stringify(value))
const list = (entries: fc.Arbitrary<string>, maxLength = 3) =>
  fc.array(entries, { minLength: 1, maxLength }).map(items => `[${items.join(',')}]`)
const wildcards = fc
  .constantFrom('*', 'x*', '*x', 'x*x', '*y*', 'x\\*y', 'x\\\\y', '', '*x*y', 'x*y*x', '*é')
  .map(value => JSON.stringify(value))
const stringOperators = fc.oneof(
  text.map(value => `{"prefix":${value}}`),
  text.map(value => `{"suffix":${value}}`),
  text.map(value => `{"equals-ignore-case":${value}}`),
  text.map(value => `{"prefix":{"equals-ignore-case":${value}}}`),
  text.map(value => `{"suffix":{"equals-ignore-case":${value}}}`),
  text.map(value => `{"exactly":${value}}`),
  wildcards.map(value => `{"wildcard":${value}}`)
)
const tests = fc.oneof(
  text,
  numbers,
  fc.constantFrom(
    'true',
    'false',
    'null',
    '{"exists":true}',
    '{"exists":false}',
    '{"cidr":"10.0.0.0/24"}',
    '{"cidr":"::/64"}'
  ),
  stringOperators,
  fc
    .tuple(fc.constantFrom('=', '<', '<=', '>', '>='), numbers)
    .map(([sign, value]) => `{"numeric":["${sign}",${value}]}`),
  fc.tuple(numbers, numbers).map(([low, high]) => `{"numeric":[">",${low},"<=",${high}]}`),
  fc.oneof(text, numbers, list(text), list(numbers)).map(value => `{"anything-but":${value}}`),
  fc
    .oneof(text, list(text))
    .chain(value =>
      fc.constantFrom('prefix', 'suffix', 'equals-ignore-case').map(name => `{"anything-but":{"${name}":${value}}}`)
    ),
  list(wildcards, 2).map(value => `{"anything-but":{"wildcard":${value}}}`)
)
/** Lists that meet in small documents often enough. */
const leaves = fc.oneof(
  list(tests),
  fc.constantFrom('["x"]', '[1]', '["x",{"exists":false}]', '[{"exists":false}]', '[{"exists":true}]')
)
const { pattern: patternTexts } = fc.letrec<{ pattern: string }>(tie => ({
  pattern: fc
    .array(
      fc.oneof(
        { depthSize: 'small' },
        fc.tuple(names, leaves).map(([name, leaf]) => `${JSON.stringify(name)}:${leaf}`),
        fc.tuple(names, tie('pattern')).map(([name, inner]) => `${JSON.stringify(name)}:${inner}`),
        fc.tuple(tie('pattern'), tie('pattern')).map(branches => `"$or":[${branches.join(',')}]`)
      ),
      { minLength: 1, maxLength: 3 }
    )
    .map(parts => `{${parts.join(',')}}`)
}))

function parsed(text: string): Pattern | undefined {
  try {
    return parsePattern(text)
  } catch (error) {
    if (error instanceof PatternError) return undefined
    throw error
  }
}
const patterns = patternTexts.map(parsed).filter(pattern => pattern !== undefined)

const space = fc.constantFrom('', '', '', ' ', '\n\t')
/** The same string, all of it in escapes. */
const escaped = (value: string): string =>
  `"${Array.from({ length: value.length }, (_, at) => `\\u${value.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
const eventStrings = fc.oneof(text, strings.map(escaped), fc.constantFrom('"\\ud800"', '"\\/\\b"'))
const { object: objects } = fc.letrec<{ object: string; value: string }>(tie => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.oneof(eventStrings, numbers, fc.constantFrom('true', 'false', 'null', '"x"', '1')),
    fc.array(tie('value'), { maxLength: 3 }).map(items => `[${items.join(',')}]`),
    tie('object')
  ),
  object: fc
    .array(
      fc
        .tuple(
          fc.oneof(
            names.map(name => JSON.stringify(name)),
            names.map(escaped)
          ),
          space,
          tie('value')
        )
        .map(([name, space, value]) => `${name}${space}:${space}${value}`),
      { maxLength: 4 }
    )
    .map(members => `{${members.join(',')}}`)
}))

/** What `JSON.parse` and a strict decoder say of bytes. */
function isContainer(bytes: Uint8Array): boolean {
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as unknown
    return typeof value === 'object' && value !== null
  } catch {
    return false
  }
}

const anyPattern = parsePattern('{"a":["x"],"b":{"c":[1]}}')
const runs = { numRuns: 3_000 }

describe('reference 4.3: the scanner over bytes', () => {
  test('says of random patterns and documents what the plain matcher says', () => {
    fc.assert(
      fc.property(patterns, objects, (pattern, document) => {
        const found = scanned(pattern, Buffer.from(document))
        if (found !== undefined) assert.equal(found, matches(pattern, readJson(document)))
      }),
      runs
    )
  })

  test('and of lists of objects, where all has to hold in the same elements', () => {
    const inA = patternTexts.map(inner => parsed(`{"a":${inner}}`)).filter(pattern => pattern !== undefined)
    const lists = fc.array(objects, { maxLength: 4 }).map(items => `{"a":[${items.join(',')}]}`)
    fc.assert(
      fc.property(inA, lists, (pattern, document) => {
        const found = scanned(pattern, Buffer.from(document))
        if (found !== undefined) assert.equal(found, matches(pattern, readJson(document)))
      }),
      runs
    )
  })

  test('says of many tests on one field what each by itself says', () => {
    const many = fc.array(tests, { minLength: 8, maxLength: 40 }).map(items => parsed(`{"a":[${items.join(',')}]}`))
    const values = fc.oneof(eventStrings, numbers, fc.integer({ min: 0, max: 20_000 }).map(String))
    fc.assert(
      fc.property(many, values, (pattern, value) => {
        if (pattern === undefined) return
        const document = `{"a":${value}}`
        assert.equal(scanned(pattern, Buffer.from(document)), matches(pattern, readJson(document)))
      }),
      runs
    )
  })

  test('says of several patterns at once, document after document, what it says of each', () => {
    fc.assert(
      fc.property(
        fc.array(patterns, { minLength: 2, maxLength: 5 }),
        fc.array(objects, { minLength: 1, maxLength: 4 }),
        (several, documents) => {
          const compiled = new CompiledPatterns(several, ({ path }) => path)
          for (const document of documents) {
            const bytes = Buffer.from(document)
            compiled.scan(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
            const found = several.map((_, at) => compiled.matches(at))
            for (const [at, pattern] of several.entries())
              if (found[at] !== undefined) assert.equal(found[at], matches(pattern, readJson(document)))
          }
        }
      ),
      runs
    )
  })

  test('follows a thousand alternatives through lists of objects', () => {
    const or = (name: string) =>
      `"${name}":{"$or":[${Array.from({ length: 10 }, (_, at) => `{"k${at}":[1]}`).join(',')}]}`
    const pattern = parsePattern(`{"d":{${or('x')},${or('y')},${or('z')}}}`)
    const element = (x: number, y: number, z: number) => `{"x":{"k${x}":1},"y":{"k${y}":1},"z":{"k${z}":${z}}}`
    assert.equal(scanned(pattern, Buffer.from(`{"d":[${element(9, 9, 2)},${element(3, 9, 1)}]}`)), true)
    assert.equal(scanned(pattern, Buffer.from(`{"d":[${element(9, 9, 2)},{"z":{"k1":1}}]}`)), false)
  })

  test('takes and refuses the same bytes as JSON.parse', () => {
    const broken = fc.tuple(objects, fc.nat(), fc.nat(255), fc.boolean()).map(([document, place, byte, isCut]) => {
      const bytes = Buffer.from(document)
      const at = place % bytes.length
      if (isCut) return bytes.subarray(0, at)
      bytes[at] = byte
      return bytes
    })
    fc.assert(
      fc.property(fc.oneof(broken, fc.uint8Array({ maxLength: 12 })), bytes => {
        assert.equal(scanned(anyPattern, bytes) !== 'not JSON', isContainer(bytes))
      }),
      runs
    )
  })

  test('refuses UTF-8 that is not well-formed wherever it stands in a string', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 6, min: 0x80 }).filter(bytes => !isContainer(quoted(bytes)))
    const quoted = (inner: Uint8Array): Buffer => Buffer.concat([Buffer.from('["'), inner, Buffer.from('"]')])
    fc.assert(fc.property(bytes, inner => assert.equal(scanned(anyPattern, quoted(inner)), 'not JSON')))
  })

  test('walks a hundred thousand levels without running out of stack', () => {
    const deep = `{"a":${'['.repeat(100_000)}"x"${']'.repeat(100_000)},"b":{"c":1}}`
    assert.equal(scanned(parsePattern('{"a":["x"]}'), Buffer.from(deep)), true)
    assert.equal(matches(parsePattern('{"a":["x"]}'), readJson(deep)), true)
  })

  test('tells elements apart in lists nested thousands deep', () => {
    const deep = (elements: string) => `{"a":${'['.repeat(5_000)}${elements}${']'.repeat(5_000)}}`
    const pattern = parsePattern('{"a":{"b":[1],"c":[2]}}')
    assert.equal(scanned(pattern, Buffer.from(deep('{"b":1,"c":2}'))), true)
    assert.equal(scanned(pattern, Buffer.from(deep('{"b":1},{"c":2}'))), false)
  })

  test('asks for the plain matcher where names are repeated around elements that have to be told apart', () => {
    const pattern = parsePattern('{"a":{"b":[1],"c":[2]}}')
    assert.equal(scanned(pattern, Buffer.from('{"a":[{"b":1},{"c":2}],"a":[]}')), undefined)
    assert.equal(scanned(pattern, Buffer.from('{"a":[{"b":1,"c":2}]}')), true)
  })
})
