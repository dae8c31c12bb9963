import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonText, JsonSyntaxError, readJson } from '../../../src/core/filter/json.ts'

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test('reads what JSON.parse reads', () => {
  fc.assert(fc.property(fc.json(), text => assert.deepEqual(JSON.parse(jsonText(readJson(text))), JSON.parse(text))))
})

test('refuses what JSON.parse refuses, with the position', () => {
  const broken = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '0', '\\', '\n', '}', '.'))
    .map(([text, at, put]) => {
      const place = at % (text.length + 1)
      return text.slice(0, place) + put + text.slice(place + 1)
    })
  fc.assert(
    fc.property(broken, text => {
      if (isJson(text)) readJson(text)
      else
        assert.throws(
          () => readJson(text),
          error => error instanceof JsonSyntaxError && error.at <= text.length
        )
    }),
    { numRuns: 3_000 }
  )
})

test('keeps repeated names and the digits of numbers', () => {
  assert.equal(jsonText(readJson(' { "a" : 1.0, "a" : 10e-1 } ')), '{"a":1.0,"a":10e-1}')
})

test('a string that never ends is refused in time that grows with its length alone', () => {
  assert.throws(() => readJson(`"${'a'.repeat(1_000_000)}`), JsonSyntaxError)
})
