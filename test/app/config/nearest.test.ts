import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from '../../../src/app/config/nearest.ts'

test('suggests only words that are close', () => {
  const known = ['listen', 'adminListen', 'dataDir', 'workers']
  assert.equal(nearest('LISTEN', known), 'listen')
  assert.equal(nearest('lsiten', known), 'listen')
  assert.equal(nearest('datadirs', known), 'dataDir')
  assert.equal(nearest('colour', known), undefined)
  assert.equal(nearest('anything', []), undefined)
})
