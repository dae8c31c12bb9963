import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { errorCodes, MillraceError } from '../../src/core/errors.ts'

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')

test('docs/errors.md lists every code, and no other, in alphabetical order', () => {
  const listed = [...page.matchAll(/^## (\w+)$/gm)].map(([, code]) => code)
  assert.deepEqual(listed, errorCodes.toSorted())
})

test('each section says what it answers with over HTTP, its message, and what to do', () => {
  const sections = page.split(/^## /m).slice(1)
  for (const section of sections) {
    const [code = '', ...lines] = section.split('\n')
    const values = Array.from({ length: 6 }, () => '…')
    const { status, aws, message } = new MillraceError(code as (typeof errorCodes)[number], values)
    const wanted = status === 0 ? 'On the command line.' : `HTTP ${status}, \`${aws}\`.`
    assert.equal(lines[1], wanted, code)
    assert.equal(lines[3], `> ${message}`, code)
    assert.ok(lines.slice(4).join('').trim().length > 30, `${code} has no explanation`)
  }
})

test('values are put in the order they are given, and as they are', () => {
  const error = new MillraceError('MILL_BODY_TYPE', ['A', '$& %s', 5])
  assert.equal(error.message, 'A must be $& %s, got 5.')
})
