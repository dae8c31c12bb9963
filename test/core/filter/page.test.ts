import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parsePattern, PatternError } from '../../../src/core/filter/language.ts'
import { operatorNames } from '../../../src/core/filter/operators.ts'
import { bothWays } from './cases.ts'

const page = readFileSync(new URL('../../../docs/reference/filter-patterns.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `(.+?)`\s*\| (?:`(.+?)`)?\s*\| (match|no match|invalid)\s*\|$/gm)].map(
  ([, pattern, document, result]) => ({ pattern: pattern!, document, result })
)

function resultOf(pattern: string, document: string | undefined): string {
  try {
    parsePattern(pattern)
  } catch (error) {
    if (error instanceof PatternError) return 'invalid'
    throw error
  }
  const { plain, scanned } = bothWays(pattern, document!)
  assert.equal(scanned, plain, pattern)
  return plain === true ? 'match' : 'no match'
}

describe('docs/reference/filter-patterns.md', () => {
  test('every example does what its row says', () => {
    assert.ok(rows.length > 100)
    for (const { pattern, document, result } of rows) assert.equal(resultOf(pattern, document), result, pattern)
  })

  test('every operator has a match, a non-match and an invalid form', () => {
    for (const name of [...operatorNames, '$or']) {
      const ofName = rows.filter(({ pattern }) => pattern.includes(`"${name}":`))
      const results = new Set(ofName.map(({ result }) => result))
      for (const wanted of ['match', 'no match', 'invalid']) assert.ok(results.has(wanted), `${name}: ${wanted}`)
    }
  })
})
