import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe } from 'node:test'
import { pythonPath, testUnless, withoutPowertools } from '../support/local-runtimes.ts'
import { eventually } from '../support/poll.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const directory = resolve('test/fixtures/functions')

/** Handlers written with Powertools for AWS Lambda, one for each language that has something for Kafka. */
const handlers = [
  {
    title: "Python's BatchProcessor for Kafka",
    missing: withoutPowertools(),
    config: {
      handler: './powertools_batch.handler',
      directory: `${directory}/python`,
      environment: { PATH: pythonPath }
    },
    // Where every record of a batch failed it raises instead of naming them all.
    functionError: 'Unhandled'
  },
  {
    title: "TypeScript's kafkaConsumer",
    missing: undefined,
    config: { handler: './powertools.handler', directory, environment: {} },
    functionError: null
  }
] as const

/** By partition: what offsets hold. `flaky` fails once, `poison` always. */
const orders = [
  ['flaky', 'good', 'poison', 'good'],
  ['good', 'good', 'good', 'poison']
] as const

describe('functions written with Powertools for AWS Lambda (reference 6.1)', { concurrency: 2 }, () => {
  for (const { title, missing, config, functionError } of handlers) {
    testUnless(missing, `${title}: only what failed comes again, and in the end to the destination`, async t => {
      const world = await EmbeddedWorld.open(t)
      world.broker.createTopic('orders', { partitions: orders.length })
      for (const [partition, kinds] of orders.entries()) {
        const record = (kind: string, at: number) => ({
          key: `order-${at}`,
          value: JSON.stringify({ [kind]: true }),
          headers: [['shop', 'north']] as const
        })
        world.broker.append('orders', partition, kinds.map(record))
      }
      const environment = { ...config.environment, FORWARD_TO: world.function.url }
      const millrace = await world.serve({
        config: { functions: { powertools: { ...config, environment } }, retryBaseMs: 50, retryCapMs: 50 }
      })
      const uuid = await world.map(millrace, 'orders', {
        FunctionName: 'powertools',
        BatchSize: 8,
        MaximumBatchingWindowInSeconds: 2,
        MaximumRetryAttempts: 2,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        DestinationConfig: { OnFailure: { Destination: 'file:failed.jsonl' } }
      })
      await eventually(
        () => [0, 1].every(partition => world.broker.committed(uuid, 'orders', partition)?.offset === 4),
        { describe: () => `all is committed after ${world.function.calls.length} calls` }
      )
      assert.deepEqual(
        world.function.calls.map(({ records }) => records.map(({ partition, offset }) => `${partition}@${offset}`)),
        [
          ['0@0', '0@1', '0@2', '0@3', '1@0', '1@1', '1@2', '1@3'],
          ['0@0', '0@2', '1@3'],
          ['0@2', '1@3']
        ]
      )
      const [line, ...rest] = (await readFile(join(millrace.dataDir, 'destinations', 'failed.jsonl'), 'utf8'))
        .trim()
        .split('\n')
      assert.deepEqual(rest, [])
      const { requestContext, responseContext, KafkaBatchInfo } = JSON.parse(line!) as Record<
        string,
        Record<string, unknown>
      >
      assert.equal(requestContext!['condition'], 'RetryAttemptsExhausted')
      assert.equal(requestContext!['approximateInvokeCount'], 3)
      assert.equal(responseContext!['functionError'], functionError)
      const places = Object.entries(KafkaBatchInfo!['recordsInfo'] as Record<string, { firstRecordOffset: string }>)
      assert.deepEqual(
        places.map(([name, { firstRecordOffset }]) => [name, firstRecordOffset]),
        [
          ['orders-0', '2'],
          ['orders-1', '3']
        ]
      )
    })
  }
})
