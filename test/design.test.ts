import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

/** Paths that a text names in backticks and that are not there. A name without a folder lies beside the path before it. */
function missingPaths(text: string): string[] {
  const missing: string[] = []
  for (const line of text.split('\n')) {
    let folder = ''
    for (const [, named = ''] of line.matchAll(/`([^`\s]+)`/g)) {
      if (!/^[\w-][\w./-]*\*?$/.test(named) || !(named.includes('/') || named.endsWith('.ts'))) continue
      const path = named.replace(/\*$/, '')
      const found = candidates(path, folder).find(existsSync)
      if (found === undefined) missing.push(named)
      else if (path.includes('/')) folder = path.endsWith('/') ? found : dirname(found)
    }
  }
  return missing
}

const candidates = (path: string, folder: string): string[] =>
  [join('src', path), path, join(folder, path)].flatMap(at => [at, `${at}.ts`])

test('every path that DESIGN.md names is there', () => {
  const text = readFileSync('DESIGN.md', 'utf8')
  assert.ok(text.includes('`adapters/kafka/fetcher.ts`'))
  assert.deepEqual(missingPaths(text), [])
})

test('a path that is not there is found', () => {
  const row =
    '| a | `core/batch/lane.ts`, `assembler.ts`, `gone.ts` (`core/gone`), `control/handlers/*`, `@platformatic/kafka` |'
  assert.deepEqual(missingPaths(row), ['gone.ts', 'core/gone'])
})
