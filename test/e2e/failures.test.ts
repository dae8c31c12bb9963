import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { failed, type FunctionCall, returned } from '../support/http-function.ts'
import { mappingWhen } from '../support/mapping-api.ts'
import { eventually } from '../support/poll.ts'
import { topicValues } from '../support/topic-values.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const offsets = (call: FunctionCall): number[] => call.records.map(({ offset }) => offset)
const quick = { retryBaseMs: 50, retryCapMs: 200 }

/** Failure documents in a topic. */
const documents = async (world: EmbeddedWorld, topic: string): Promise<Document[]> =>
  (await topicValues(world.kafka.bootstrap, topic)).map(({ value }) => JSON.parse(value ?? '') as Document)

interface Document {
  readonly requestContext: {
    readonly requestId: string
    readonly condition: string
    readonly approximateInvokeCount: number
  }
  readonly responseContext?: { readonly statusCode: number; readonly functionError: string | null } | null
  readonly payload: { readonly records: Record<string, { offset: number }[]> }
}

void suite('what happens when a function fails', { concurrency: 2 }, () => {
  void test('three calls in all, over a restart and an update, then one document a record in the topic; the next batch goes on', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 1)
    world.broker.createTopic('orders-failed', { partitions: 1 })
    await topic.write(12)
    world.function.script = ({ records }) => (records.some(({ offset }) => offset < 10) ? failed : returned)
    const config = { retryBaseMs: 400, retryCapMs: 400 }
    const millrace = await world.serve({ config })
    const uuid = await world.map(millrace, 'orders', {
      BatchSize: 10,
      MaximumRetryAttempts: 4,
      DestinationConfig: { OnFailure: { Destination: 'kafka://orders-failed' } }
    })
    await eventually(() => world.function.calls.length >= 2, { describe: 'two calls' })
    await millrace.stop()
    await millrace.start()
    await eventually(() => world.function.calls.length >= 3, { describe: 'three calls' })
    const api = await world.api(millrace)
    await api.update({ UUID: uuid, BatchSize: 7 })
    await world.succeeded(2)
    const failing = world.function.calls.filter(({ state }) => state === 'failed')
    assert.deepEqual(
      failing.map(offsets),
      Array.from({ length: 5 }, () => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    )
    assert.deepEqual(offsets(world.function.calls.at(-1)!), [10, 11])
    const told = await documents(world, 'orders-failed')
    assert.deepEqual(
      told.map(document => document.payload.records['orders-0']!.map(({ offset }) => offset)),
      Array.from({ length: 10 }, (_, offset) => [offset])
    )
    for (const document of told) {
      assert.equal(document.requestContext.condition, 'RetriesExhausted')
      assert.equal(document.requestContext.approximateInvokeCount, 5)
      assert.equal(document.requestContext.requestId, failing.at(-1)!.headers['x-millrace-request-id'])
      assert.deepEqual(document.responseContext, {
        statusCode: 200,
        executedVersion: '$LATEST',
        functionError: 'Unhandled'
      })
    }
    await eventually(() => world.broker.committed(uuid, 'orders', 0)?.offset === 12, { describe: 'all is committed' })
    assert.equal(world.broker.committed(uuid, 'orders', 0)?.metadata, '')
  })

  void test('only what the function named comes again; a file takes what is given up; the counts say so', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 1)
    await topic.write(8)
    world.function.script = call => ({
      kind: 'status',
      status: 200,
      body: JSON.stringify({
        batchItemFailures: offsets(call)
          .filter(offset => offset === 2 || (offset === 5 && call.number < 3))
          .map(offset => ({ itemIdentifier: { partition: 'orders-0', offset } }))
      })
    })
    const millrace = await world.serve({ config: quick })
    const uuid = await world.map(millrace, 'orders', {
      MaximumRetryAttempts: 3,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      DestinationConfig: { OnFailure: { Destination: 'file:orders.jsonl' } }
    })
    await eventually(() => world.broker.committed(uuid, 'orders', 0)?.offset === 8, { describe: 'all is committed' })
    assert.deepEqual(world.function.calls.map(offsets), [[0, 1, 2, 3, 4, 5, 6, 7], [2, 5], [2, 5], [2]])
    const lines = (await readFile(join(millrace.dataDir, 'destinations', 'orders.jsonl'), 'utf8')).trim().split('\n')
    assert.equal(lines.length, 1)
    const { requestContext, responseContext, KafkaBatchInfo } = JSON.parse(lines[0]!) as Record<
      string,
      Record<string, unknown>
    >
    assert.equal(requestContext!['condition'], 'RetryAttemptsExhausted')
    assert.equal(requestContext!['approximateInvokeCount'], 4)
    assert.equal(responseContext!['functionError'], null)
    assert.equal(KafkaBatchInfo!['batchSize'], 1)
    await eventually(
      async () => (await metrics(millrace.adminUrl)).includes(`millrace_committed_events_total{mapping="${uuid}"} 8`),
      { describe: 'the counts' }
    )
    const said = await metrics(millrace.adminUrl)
    for (const line of [
      `millrace_polled_events_total{mapping="${uuid}"} 8`,
      `millrace_invoked_events_total{mapping="${uuid}"} 13`,
      `millrace_failed_invoke_events_total{mapping="${uuid}"} 6`,
      `millrace_destination_delivered_events_total{mapping="${uuid}"} 1`,
      `millrace_dropped_events_total{mapping="${uuid}"} 0`
    ])
      assert.ok(said.includes(line), `${line}\n${said}`)
  })

  void test('a destination that is not there holds its partition and no other, and says so, until it is', async t => {
    const world = await EmbeddedWorld.open(t)
    const topic = await world.topic('orders', 2)
    await topic.write(1)
    world.function.script = ({ records }) => (records[0]!.partition === 0 ? failed : returned)
    const millrace = await world.serve({ config: quick })
    const uuid = await world.map(millrace, 'orders', {
      BatchSize: 1,
      MaximumRetryAttempts: 0,
      DestinationConfig: { OnFailure: { Destination: 'kafka://orders-failed' } }
    })
    const api = await world.api(millrace)
    await mappingWhen(api, uuid, 'held', ({ LastProcessingResult }) =>
      /on-failure destination did not take the records.*orders-failed/.test(LastProcessingResult ?? '')
    )
    await topic.writeTo(1, 3)
    await world.succeeded(4)
    assert.equal(world.broker.committed(uuid, 'orders', 0)?.offset ?? 0, 0)
    world.broker.createTopic('orders-failed', { partitions: 1 })
    await eventually(() => world.broker.committed(uuid, 'orders', 0)?.offset === 1, {
      describe: 'the record is committed',
      timeoutMs: 40_000
    })
    assert.equal((await documents(world, 'orders-failed')).length, 1)
    assert.equal(world.function.calls.filter(({ state }) => state === 'failed').length, 1)
    await mappingWhen(api, uuid, 'well', ({ LastProcessingResult }) => LastProcessingResult === 'OK')
  })
})

const metrics = async (adminUrl: string): Promise<string> => (await fetch(`${adminUrl}/metrics`)).text()
