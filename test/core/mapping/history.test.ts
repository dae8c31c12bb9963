import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesBetween } from '../../../src/core/mapping/history.ts'
import { aMapping } from '../../support/stored-mapping.ts'

test('a change is told by the API’s names, from what to what', () => {
  const before = aMapping({ windowSeconds: 3, enabled: true, tags: { a: '1', b: '2' } })
  const { windowSeconds: _gone, ...spec } = before.spec
  const after = {
    ...before,
    version: 2,
    lastModifiedMs: 5,
    state: 'Updating',
    spec: { ...spec, enabled: false, functionArn: 'arn:g', sourceAccess: [], tags: { b: '2', a: '1' } }
  } as const
  assert.deepEqual(changesBetween(before, after), [
    { field: 'FunctionArn', from: before.spec.functionArn, to: 'arn:g' },
    { field: 'MaximumBatchingWindowInSeconds', from: 3 },
    { field: 'State', from: 'Creating', to: 'Updating' },
    { field: 'Enabled', from: true, to: false },
    { field: 'SourceAccessConfigurations', to: [] }
  ])
})

test('nothing that differs is nothing to tell', () => {
  const mapping = aMapping()
  assert.deepEqual(changesBetween(mapping, { ...mapping, version: 9, lastModifiedMs: 9 }), [])
  assert.deepEqual(changesBetween(undefined, undefined), [])
})

test('the first change tells the whole mapping, the last one what it was', () => {
  const mapping = aMapping()
  const made = changesBetween(undefined, mapping)
  const gone = changesBetween(mapping, undefined)
  assert.ok(made.length > 8 && made.every(change => !('from' in change)))
  assert.deepEqual(
    gone,
    made.map(({ field, to }) => ({ field, from: to }))
  )
})
