import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyUpdate, parseUpdate, readUpdate } from '../../../src/core/mapping/update.ts'
import { aSpec } from '../../support/stored-mapping.ts'

const before = aSpec({ windowSeconds: 3, qualifier: '1' })
const parse = (body: unknown, strictAws = false) => parseUpdate(readUpdate(body), before, { strictAws, maxFilters: 5 })

test('what is left out stays, what is given replaces', () => {
  const { changes } = parse({ BatchSize: 9, Enabled: false, MaximumBatchingWindowInSeconds: 0 })
  assert.deepEqual(applyUpdate(before, changes, undefined), {
    ...before,
    batchSize: 9,
    enabled: false,
    windowSeconds: 0
  })
  assert.deepEqual(applyUpdate(before, parse({}).changes, undefined), before)
})

test('another function takes the old qualifier away with it', () => {
  const { functionName, changes } = parse({ FunctionName: 'g' })
  assert.equal(functionName, 'g')
  const after = applyUpdate(before, changes, { functionArn: 'arn:g', functionName: 'g' })
  assert.equal('qualifier' in after, false)
  assert.equal(applyUpdate(before, changes, { functionArn: 'g:2', functionName: 'g', qualifier: '2' }).qualifier, '2')
})

test('a consumer group is refused whenever it is sent, an empty block is not', () => {
  assert.throws(() => parse({ SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: before.consumerGroupId } }), {
    message:
      "Unsupported 'selfManagedKafkaEventSourceConfig.consumerGroupId' parameter for given event source mapping type"
  })
  assert.deepEqual(parse({ SelfManagedKafkaEventSourceConfig: {} }).changes, {})
})

test('members that Create alone takes are ignored, whatever they hold', () => {
  assert.deepEqual(parse({ Topics: 7, EventSourceArn: 'x', StartingPosition: 'x', Tags: 1 }), { changes: {} })
})

test('what this version does not do is refused here too, and what clears it is taken', () => {
  assert.throws(() => parse({ KMSKeyArn: 'arn:aws:kms:us-east-1:1:key/1' }), { code: 'MILL_PARAMETER_NOT_BUILT' })
  assert.deepEqual(parse({ ProvisionedPollerConfig: {} }).changes, {})
  assert.throws(() => parse({ ParallelizationFactor: 2 }, true), { code: 'MILL_PARAMETER_UNSUPPORTED' })
  assert.equal(parse({ ParallelizationFactor: 2 }).changes.parallelizationFactor, 2)
})
