import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { fixtures, portable, readFixture } from './fixtures.ts'

describe('reference 14: what templates say is what CreateEventSourceMapping is asked for', () => {
  test('there are templates of every form', () => {
    const forms = new Set(fixtures.map(({ name }) => name.split('-')[0]))
    assert.deepEqual([...forms], ['cdk', 'cfn', 'sam', 'serverless'])
    assert.ok(fixtures.length >= 13)
  })

  for (const fixture of fixtures) {
    test(`${fixture.name} is read as its expected.json says`, () => {
      const expected: unknown = JSON.parse(readFileSync(join(dirname(fixture.file), 'expected.json'), 'utf8'))
      assert.deepEqual(portable(readFixture(fixture)), expected)
    })
  }
})
