import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parsePattern, PatternError } from '../../../src/core/filter/language.ts'
import { bothWays, recordedCases } from './cases.ts'

const cases = recordedCases()

describe('reference 4.3: what event-ruler and EventBridge were seen to do', () => {
  test('there are a thousand cases and more, of each kind', () => {
    const count = (match: boolean | undefined) => cases.filter(one => one.match === match).length
    assert.ok(count(true) > 500 && count(false) > 500 && count(undefined) > 200)
  })

  test('the plain matcher agrees with every case', () => {
    const wrong = cases.filter(
      ({ event, pattern, match }) => event !== undefined && bothWays(pattern, event).plain !== match
    )
    assert.deepEqual(wrong, [])
  })

  test('the scanner agrees with every case, but where it asks for the plain matcher', () => {
    const wrong = cases.filter(({ event, pattern, match }) => {
      if (event === undefined) return false
      const { scanned } = bothWays(pattern, event)
      return scanned !== match && scanned !== undefined
    })
    assert.deepEqual(wrong, [])
  })

  test('every invalid pattern is refused with a reason', () => {
    for (const { name, pattern, match } of cases) {
      if (match !== undefined) continue
      assert.throws(
        () => parsePattern(pattern),
        error => error instanceof PatternError && error.reason.length > 10,
        `${name}: ${pattern}`
      )
    }
  })
})
