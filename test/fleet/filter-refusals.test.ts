import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MappingCounts } from '../../src/fleet/mapping-counts.ts'

const refused = (condition: string, records: number, pattern = 0) => ({
  records,
  by: [{ pattern, condition, records }]
})

test('refusals add up for the filters they belong to, and begin anew with other filters', () => {
  const { refusals } = new MappingCounts()
  refusals.add('m', ['a', 'b'], refused('value.x', 2), 1_000)
  refusals.add('m', ['a', 'b'], refused('value.y', 5, 1), 2_000)
  refusals.add('m', ['a', 'b'], refused('value.x', 1), 3_000)
  const both = [
    { pattern: 0, condition: 'value.x', records: 3 },
    { pattern: 1, condition: 'value.y', records: 5 }
  ]
  assert.deepEqual(refusals.of('m', ['a', 'b']), { records: 8, by: both, sinceMs: 1_000 })
  assert.equal(refusals.of('m', ['a']), undefined)
  assert.equal(refusals.of('other', ['a', 'b']), undefined)
  refusals.add('m', ['a'], refused('value.x', 1), 4_000)
  assert.equal(refusals.of('m', ['a', 'b']), undefined)
  assert.deepEqual(refusals.of('m', ['a'])?.sinceMs, 4_000)
})

test('metrics have a line for each condition, whatever its name holds, until the mapping has gone', () => {
  const counts = new MappingCounts()
  counts.refusals.add('m', ['a'], refused('value.a"b\\c\nd', 7), 0)
  assert.match(
    counts.prometheus(),
    /^millrace_filter_refusals_sampled_total\{mapping="m",filter="1",condition="value\.a\\"b\\\\c\\nd"\} 7$/m
  )
  counts.forget('m')
  assert.doesNotMatch(counts.prometheus(), /mapping="m"/)
})
