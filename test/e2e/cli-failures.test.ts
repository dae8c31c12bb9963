import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { awsCliTest, cliApi } from '../support/aws-cli.ts'
import { failed, returned, type SeenRecord } from '../support/http-function.ts'
import { inState, mappingWhen } from '../support/mapping-api.ts'
import { eventually } from '../support/poll.ts'
import { topicValues } from '../support/topic-values.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const clusterArn = 'arn:aws:kafka:us-east-1:000000000000:cluster/shop/33333333-3333-3333-3333-333333333333-3'
const filters = (...patterns: object[]) => ({
  FilterCriteria: { Filters: patterns.map(pattern => ({ Pattern: JSON.stringify(pattern) })) }
})
const destination = (Destination: string) => ({ DestinationConfig: { OnFailure: { Destination } } })
const isBad = ({ value }: SeenRecord): boolean => value.includes('"bad":true')

/** A server with a cluster in the place of MSK, asked by the program `aws`; its function fails for bad orders. */
async function setup(t: TestContext) {
  const world = await EmbeddedWorld.open(t)
  world.broker.createTopic('orders', { partitions: 1 })
  world.broker.createTopic('failed', { partitions: 1 })
  world.function.script = ({ records }) => (records.some(isBad) ? failed : returned)
  const clusters = { [clusterArn]: { plaintext: [...world.kafka.bootstrap] } }
  const millrace = await world.serve({ config: { clusters, retryBaseMs: 20, retryCapMs: 50 } })
  const aws = cliApi({ url: millrace.url, ...(await millrace.credentials()) })
  const api = await world.api(millrace)
  return {
    world,
    aws,
    api,
    /** Appends these values; resolves when all of the topic is committed by the group. */
    async write(group: string, values: readonly object[]): Promise<void> {
      world.broker.append(
        'orders',
        0,
        values.map(value => ({ value: JSON.stringify(value) }))
      )
      await eventually(
        () => world.broker.committed(group, 'orders', 0)?.offset === world.broker.endOffset('orders', 0),
        { describe: () => `all is committed; ${world.function.calls.length} calls` }
      )
    },
    /** Offsets of the calls since the last time. */
    calls(): number[][] {
      return world.function.calls.splice(0).map(({ records }) => records.map(({ offset }) => offset))
    },
    async lines(): Promise<string[]> {
      const text = await readFile(join(millrace.dataDir, 'destinations', 'failed.jsonl'), 'utf8')
      return text.trim().split('\n')
    }
  }
}

const order = (n: number, bad = false) => ({ kind: 'order', n, bad })
const noise = { kind: 'noise' }

awsCliTest(
  'by the AWS CLI: filters, retries, bisect and destinations are set, changed and taken away while records flow',
  async t => {
    const { world, aws, api, write, calls, lines } = await setup(t)
    const group = 'shop-readers'
    const set = {
      BatchSize: 4,
      MaximumBatchingWindowInSeconds: 0,
      ...filters({ value: { kind: ['order'] } }),
      ...destination('file:failed.jsonl'),
      MaximumRetryAttempts: 1,
      MaximumRecordAgeInSeconds: 3_600,
      BisectBatchOnFunctionError: true,
      FunctionResponseTypes: ['ReportBatchItemFailures' as const]
    }
    const { UUID = '' } = await aws.create({
      FunctionName: 'orders',
      EventSourceArn: clusterArn,
      Topics: ['orders'],
      StartingPosition: 'TRIM_HORIZON',
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: group },
      ...set
    })
    await inState(api, UUID, 'Enabled')
    const shown = await aws.get(UUID)
    for (const [name, value] of Object.entries(set)) assert.deepEqual(shown[name as keyof typeof shown], value, name)

    await write(group, [order(0), noise, order(2, true), order(3), noise, order(5)])
    assert.deepEqual(calls(), [[0, 2, 3, 5], [0, 2], [0], [2], [2], [3, 5]])
    assert.equal((await lines()).length, 1)
    const { KafkaBatchInfo, requestContext } = JSON.parse((await lines())[0]!) as Record<
      string,
      Record<string, unknown>
    >
    assert.equal(requestContext!['approximateInvokeCount'], 2)
    assert.equal(KafkaBatchInfo!['eventSourceArn'], clusterArn)

    await assert.rejects(aws.update({ UUID, ...destination('arn:aws:sqs:us-east-1:000000000000:dead.fifo') }), {
      code: 'InvalidParameterValueException',
      message: /FIFO/i
    })
    await assert.rejects(aws.update({ UUID, ...destination('kafka://orders') }), {
      message: 'The Kafka on-failure destination topic must differ from the source topic.'
    })
    await assert.rejects(aws.update({ UUID, FilterCriteria: { Filters: [{ Pattern: '{"value":"order"}' }] } }), {
      code: 'InvalidParameterValueException',
      message: /^Invalid filter pattern definition/
    })
    await assert.rejects(aws.update({ UUID, MaximumRetryAttempts: 10_001 }), { code: 'ValidationException' })
    await assert.rejects(aws.update({ UUID, MaximumRecordAgeInSeconds: 59 }), {
      code: 'InvalidParameterValueException'
    })
    assert.deepEqual(await aws.get(UUID), { ...shown, LastProcessingResult: 'OK' })

    await aws.update({
      UUID,
      ...filters({ value: { kind: ['order'], n: [{ numeric: ['<', 8] }] } }, { value: { kind: ['noise'] } }),
      ...destination('kafka://failed'),
      MaximumRetryAttempts: 0,
      BisectBatchOnFunctionError: false
    })
    await inState(api, UUID, 'Enabled')
    await write(group, [order(6), order(7, true), order(8), noise])
    assert.deepEqual(calls(), [[6, 7, 9]])
    const told = await topicValues(world.kafka.bootstrap, 'failed')
    assert.deepEqual(
      told.map(({ value }) =>
        Object.values((JSON.parse(value!) as Told).payload.records).flatMap(list => list.map(({ offset }) => offset))
      ),
      [[6], [7], [9]]
    )
    assert.equal((await lines()).length, 1)

    await aws.update({ UUID, FilterCriteria: {}, ...destination(''), MaximumRetryAttempts: -1 })
    const cleared = await mappingWhen(api, UUID, 'Enabled', ({ State }) => State === 'Enabled')
    assert.deepEqual([cleared.FilterCriteria, cleared.MaximumRetryAttempts], [undefined, -1])
    assert.equal(cleared.DestinationConfig?.OnFailure?.Destination, undefined)
    await write(group, [order(10), { any: 'thing' }])
    assert.deepEqual(calls(), [[10, 11]])

    assert.equal((await aws.delete(UUID)).State, 'Deleting')
    await eventually(async () => (await aws.list({})).length === 0, { describe: 'the mapping is gone' })
    assert.equal(world.broker.committed(group, 'orders', 0)?.offset, 12)
  }
)

interface Told {
  readonly payload: { readonly records: Readonly<Record<string, readonly { readonly offset: number }[]>> }
}
