import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mappingArn, renderMapping, uuidOfArn } from '../../../src/core/mapping/render.ts'
import { aMapping } from '../../support/stored-mapping.ts'

const home = { region: 'us-east-1', accountId: '000000000000' }

test('the least self-managed mapping is AWS’s recorded answer plus the ARN', () => {
  const mapping = aMapping({ consumerGroupId: 'u' }, { uuid: 'u' })
  assert.deepEqual(renderMapping(mapping, home), {
    UUID: 'u',
    EventSourceMappingArn: 'arn:aws:lambda:us-east-1:000000000000:event-source-mapping:u',
    BatchSize: 100,
    FunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:orders',
    LastModified: 1_725_397_109.1,
    LastProcessingResult: 'No records processed',
    SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:9092'] } },
    SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'u' },
    StartingPosition: 'TRIM_HORIZON',
    State: 'Creating',
    StateTransitionReason: 'USER_INITIATED',
    Topics: ['orders']
  })
})

test('values that say nothing are still returned when they were set', () => {
  const rendered = renderMapping(
    aMapping({ windowSeconds: 0, maximumRetryAttempts: -1, functionResponseTypes: [], sourceAccess: [] }),
    home
  )
  assert.deepEqual(
    [
      rendered.MaximumBatchingWindowInSeconds,
      rendered.MaximumRetryAttempts,
      rendered.FunctionResponseTypes,
      rendered.SourceAccessConfigurations
    ],
    [0, -1, [], []]
  )
})

test('an ARN leads back to its mapping, that of another account to none', () => {
  assert.equal(uuidOfArn(mappingArn('u', home), home), 'u')
  assert.equal(uuidOfArn(mappingArn('u', { ...home, accountId: '123456789012' }), home), undefined)
  assert.equal(uuidOfArn('nonsense', home), undefined)
})
