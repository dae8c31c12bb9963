import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settledState, stateOfUpdate, wanted } from '../../../src/core/mapping/lifecycle.ts'
import { mappingStates } from '../../../src/core/mapping/mapping.ts'
import { aMapping } from '../../support/stored-mapping.ts'

test('an update answers with the transition that it begins', () => {
  const running = aMapping({ enabled: true })
  const paused = aMapping({ enabled: false })
  assert.deepEqual(
    [
      stateOfUpdate(running, false),
      stateOfUpdate(paused, true),
      stateOfUpdate(running, true),
      stateOfUpdate(paused, false)
    ],
    ['Disabling', 'Enabling', 'Updating', 'Updating']
  )
})

test('every transition ends in Enabled or Disabled as the user wants it; what is settled or going has no end', () => {
  const ends = (enabled: boolean) => mappingStates.map(state => settledState(aMapping({ enabled }, { state })))
  // The order of mappingStates: Creating, Enabling, Enabled, Disabling, Disabled, Updating, Deleting.
  const on = 'Enabled'
  const off = 'Disabled'
  assert.deepEqual(ends(true), [on, on, undefined, on, undefined, on, undefined])
  assert.deepEqual(ends(false), [off, off, undefined, off, undefined, off, undefined])
})

test('the fleet runs what is enabled, stops what is not, and removes what is being deleted', () => {
  assert.deepEqual(
    [
      wanted(aMapping({ enabled: true })),
      wanted(aMapping({ enabled: false })),
      wanted(aMapping({ enabled: true }, { state: 'Deleting' }))
    ],
    ['run', 'stop', 'remove']
  )
})
