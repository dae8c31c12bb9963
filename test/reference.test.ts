import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { referencePages } from '../scripts/reference/pages.ts'
import { fieldNames } from '../src/core/mapping/fields.ts'

test('the pages in docs/reference are what the program says; "npm run reference" brings them up to date', async () => {
  for (const [path, text] of await referencePages()) {
    assert.ok(readFileSync(path, 'utf8') === text, `${path} is out of date: npm run reference`)
  }
})

test('the API page has every member of a mapping, every operation of AWS’s on mappings, and their limits', async () => {
  const page = (await referencePages()).get('docs/reference/api.md') ?? ''
  for (const name of fieldNames) assert.match(page, new RegExp(`^\\| \`${name}\` `, 'm'))
  for (const verb of ['Create', 'Get', 'Update', 'Delete']) {
    assert.match(page, new RegExp(`^\\| ${verb}EventSourceMapping `, 'm'))
  }
  assert.match(page, /^\| `BatchSize` +\| integer, 1 to 10000 +\|$/m)
})

test('the command line’s page has every command with its examples', async () => {
  const page = (await referencePages()).get('docs/reference/cli.md') ?? ''
  for (const command of ['serve', 'demo', 'broker', 'mappings', 'mappings create', 'mappings watch']) {
    const section = page.split(`## millrace ${command}\n`)[1]?.split('\n## ')[0] ?? ''
    assert.match(section, /^Examples:\n {2}millrace /m, command)
  }
})
