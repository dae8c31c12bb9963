import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conflictOf } from '../../../src/core/mapping/conflict.ts'
import { aMapping } from '../../support/stored-mapping.ts'

const servers = (...bootstrapServers: string[]) => ({ kind: 'self-managed', bootstrapServers }) as const
const msk = (arn: string) => ({ kind: 'msk', arn }) as const
const first = aMapping({ source: servers('a:1', 'b:1') })

for (const [where, source, conflicts] of [
  ['the same servers', servers('a:1', 'b:1'), true],
  ['a server in common', servers('c:1', 'B:1'), true],
  ['other servers', servers('a:2'), false],
  ['an MSK cluster', msk('a:1'), false]
] as const)
  for (const topic of ['orders', 'other'])
    for (const functionArn of [first.spec.functionArn, 'another'])
      test(`${where}, topic ${topic}, ${functionArn === 'another' ? 'another' : 'the same'} function`, () => {
        const conflict = conflictOf(aMapping({ source, topic, functionArn }), [first])
        const same = conflicts && topic === 'orders' && functionArn === first.spec.functionArn
        assert.equal(conflict?.code, same ? 'MILL_MAPPING_CONFLICT' : undefined)
      })

test('a qualifier makes another function', () => {
  const other = aMapping({ source: first.spec.source, functionArn: `${first.spec.functionArn}:1` })
  assert.equal(conflictOf(other, [first]), undefined)
})

test('an MSK conflict names the cluster', () => {
  const one = aMapping({ source: msk('arn:x') })
  const conflict = conflictOf(aMapping({ source: msk('arn:x') }), [one])
  assert.match(conflict?.message ?? '', /with event source \("arn:x"\), function/)
})

test('a group belongs to one mapping of a cluster, whatever the topic; elsewhere it is another group', () => {
  const one = aMapping({ consumerGroupId: 'g', source: msk('arn:x') })
  const again = { consumerGroupId: 'g', topic: 'other' }
  assert.equal(conflictOf(aMapping({ ...again, source: msk('arn:x') }), [one])?.code, 'MILL_GROUP_CONFLICT')
  assert.equal(conflictOf(aMapping({ ...again, source: msk('arn:y') }), [one]), undefined)
})

test('a mapping is in nobody’s way but others’', () => {
  assert.equal(conflictOf(first, [first]), undefined)
})
