import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ignoredMembers } from '../../../src/core/mapping/unknown-members.ts'

test('finds unknown members at every depth, and what Update does not take', () => {
  const body = {
    FunctionName: 'f',
    functionName: 'f',
    SelfManagedEventSource: { Endpoints: { ANY_KEY: [] }, Servers: [] },
    SourceAccessConfigurations: [{ Type: 'a', Uri: 'b' }, { Uri: 'c' }],
    Topics: ['t']
  }
  const paths = (operation: 'create' | 'update') =>
    ignoredMembers(operation, body).map(({ path, why }) => `${path} ${why}`)
  assert.deepEqual(paths('create'), [
    'functionName unknown',
    'SelfManagedEventSource.Servers unknown',
    'SourceAccessConfigurations.Uri unknown',
    'SourceAccessConfigurations.Uri unknown'
  ])
  assert.deepEqual(paths('update'), [
    'functionName unknown',
    'SelfManagedEventSource create-only',
    'SourceAccessConfigurations.Uri unknown',
    'SourceAccessConfigurations.Uri unknown',
    'Topics create-only'
  ])
})

test('takes anything, and finds no more than 20 short paths', () => {
  fc.assert(
    fc.property(fc.jsonValue(), body => {
      const found = ignoredMembers('create', body)
      assert.ok(found.length <= 20 && found.every(({ path }) => path.length <= 100))
    })
  )
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`${n}${'x'.repeat(500)}`, n]))
  assert.equal(ignoredMembers('update', many).length, 20)
  assert.deepEqual(
    ignoredMembers('create', JSON.parse('{"__proto__":1,"toString":2}')).map(({ path }) => path),
    ['__proto__', 'toString']
  )
})
