import assert from 'node:assert/strict'
import { ApiError, inState, sdkApi } from '../../support/mapping-api.ts'
import { eventually } from '../../support/poll.ts'
import type { Input, LambdaCaller, Register } from './client-contract.ts'
import { functionArn, type ClientWorld } from './client-world.ts'

export const lifeTopic = 'short-life'

/**
 * One mapping from create to delete, with tags, in as few calls as it takes: for clients that start anew for each, and for those
 * so old that they know only what AWS had in 2022. Call it in the body of a suite.
 */
export function clientLife(world: ClientWorld, caller: LambdaCaller, test: Register): void {
  const call = (operation: string, input: Input) => caller.call(world.access, operation, input)

  test('a mapping is created, found, changed, tagged, paused and deleted; refusals come as AWS words them', async () => {
    const watch = sdkApi(world.access)
    const create = {
      FunctionName: 'first',
      Topics: [lifeTopic],
      SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [world.bootstrap] } },
      StartingPosition: 'TRIM_HORIZON',
      FilterCriteria: { Filters: [{ Pattern: '{"value":{"kind":["order"]}}' }] },
      DestinationConfig: { OnFailure: { Destination: 'arn:aws:sqs:us-east-1:000000000000:dead' } },
      MaximumRetryAttempts: 3
    }
    const created = await call('CreateEventSourceMapping', create)
    const UUID = created['UUID'] as string
    const { FunctionName, ...shown } = create
    for (const [name, value] of Object.entries(shown)) assert.deepEqual(created[name], value, name)
    assert.equal(created['FunctionArn'], functionArn(FunctionName))
    assert.equal(created['State'], 'Creating')
    await inState(watch, UUID, 'Enabled')
    assert.equal((await call('GetEventSourceMapping', { UUID }))['BatchSize'], 100)
    const found = await caller.listAll(world.access, { FunctionName: 'first' }, 1)
    assert.deepEqual(
      found.map(mapping => mapping['UUID']),
      [UUID]
    )

    const updated = await call('UpdateEventSourceMapping', {
      UUID,
      BatchSize: 7,
      FunctionName: 'second',
      Enabled: false
    })
    assert.equal(updated['State'], 'Disabling')
    const paused = await inState(watch, UUID, 'Disabled')
    assert.deepEqual([paused.BatchSize, paused.FunctionArn], [7, functionArn('second')])

    const Resource = paused.EventSourceMappingArn!
    await call('TagResource', { Resource, Tags: { team: 'shop', tier: '1' } })
    await call('UntagResource', { Resource, TagKeys: ['tier'] })
    assert.deepEqual((await call('ListTags', { Resource }))['Tags'], { team: 'shop' })

    await assert.rejects(call('CreateEventSourceMapping', { ...create, FunctionName: 'nobody' }), {
      code: 'InvalidParameterValueException',
      message: 'Function does not exist'
    })
    assert.equal((await call('DeleteEventSourceMapping', { UUID }))['State'], 'Deleting')
    await eventually(async () => (await watch.list({})).length === 0, { describe: 'the mapping is gone' })
    await assert.rejects(
      call('GetEventSourceMapping', { UUID }),
      (error: unknown) => error instanceof ApiError && error.code === 'ResourceNotFoundException'
    )
    await assert.rejects(caller.call({ ...world.access, secretAccessKey: 'wrong' }, 'ListEventSourceMappings', {}), {
      code: 'InvalidSignatureException'
    })
  })
}
