import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { suppressionsWithoutReason } from './support/suppressions.ts'

test('every suppression of lint, types or formatting has its reason beside it', () => {
  const files = globSync(['src/**/*.ts', 'test/**/*.ts', 'scripts/**/*.ts', 'bench/**/*.ts'])
  assert.ok(files.length > 30, 'there are files to look at')
  assert.deepEqual(
    files.flatMap(file => suppressionsWithoutReason(readFileSync(file, 'utf8')).map(found => `${file}:${found}`)),
    []
  )
})

// The directives below are put together so that they are none of this file's own.
const off = 'disable'
const at = '@'
const ignore = 'ignore'

test('finds those without a reason, whatever form they have', () => {
  const bare = [
    `// oxlint-${off}-next-line no-console`,
    `/* eslint-${off} no-console */`,
    `call() // oxlint-${off}-line no-console -- why`,
    `// ${at}ts-expect-error`,
    `// ${at}ts-ignore TS2345`,
    `// prettier-${ignore}`
  ]
  for (const line of bare) assert.equal(suppressionsWithoutReason(`a()\n${line}\nb()`).length, 1, line)
  assert.deepEqual(suppressionsWithoutReason(`a()\n// ${at}ts-nocheck`), [`2: // ${at}ts-nocheck`])
})

test('takes those with a reason', () => {
  const explained = [
    `// oxlint-${off}-next-line no-console -- the lines are what the user asked for`,
    `/* oxlint-${off} no-console -- the lines are what the user asked for */`,
    `// ${at}ts-expect-error the test sends what the type forbids`,
    `const text = 'oxlint-${off} is a word'`
  ]
  for (const line of explained) assert.deepEqual(suppressionsWithoutReason(line), [], line)
})
