import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addTags, changesExtensions, checkTags, removeTags } from '../../../src/core/mapping/tags.ts'

test('fifty tags are the most, counted after merging', () => {
  const fifty = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`k${n}`, 'v']))
  assert.equal(Object.keys(addTags(fifty, { k0: 'new' })).length, 50)
  assert.throws(() => addTags(fifty, { more: '' }), { code: 'MILL_TAGS_TOO_MANY' })
})

test('AWS’s own keys are reserved, but for those templates carry', () => {
  assert.throws(() => checkTags({ 'AWS:x': '' }), { message: 'Tag keys must not begin with aws:, got AWS:x.' })
  checkTags({ 'aws:cloudformation:stack-name': 's' })
})

test('taking off what is not there is no error', () => {
  assert.deepEqual(removeTags({ a: '1', b: '2' }, ['a', 'z']), { b: '2' })
})

test('a tag of ours that nothing reads is refused by name', () => {
  assert.throws(() => checkTags({ 'millrace:colour': 'red' }), {
    message: 'Millrace does not support the tag millrace:colour yet: remove it from the request.'
  })
})

test('only tags of ours change how a poller works', () => {
  const before = { team: 'a', 'millrace:x': '1' }
  assert.equal(changesExtensions(before, { 'millrace:x': '1', team: 'b', more: '' }), false)
  assert.equal(changesExtensions(before, { ...before, 'millrace:x': '2' }), true)
  assert.equal(changesExtensions(before, { team: 'a' }), true)
  assert.equal(changesExtensions(before, { ...before, 'millrace:y': '' }), true)
})
