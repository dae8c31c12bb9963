import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failed, returned } from '../support/http-function.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'
import type { MillraceProcess } from '../support/millrace-process.ts'
import { eventually } from '../support/poll.ts'
import { topicValues } from '../support/topic-values.ts'
import { realKafka, type WrittenTopic } from '../support/written-topic.ts'
import { MillraceWorld } from '../e2e/millrace-world.ts'

/** So many batches fail at once, each in a group of its own: every change of the processes is one for all of them. */
const runs = 20
const maxRetries = 5
/** Longer than a process takes to stop and start: what happens to the group happens during the retries. */
const pauses = { retryBaseMs: 4_000, retryCapMs: 4_000 }
const failures = 'failures'

interface FailureDocument {
  readonly requestContext: { readonly condition: string; readonly approximateInvokeCount: number }
  readonly payload: { readonly records: Record<string, readonly { readonly offset: number }[]> }
}

await kafkaSuite('retries across owners, on Apache Kafka (promise 5)', () => {
  const kafka = kafkaForSuite()

  test(`a batch that fails is called six times in all while processes join, leave and restart; ${runs} batches`, async t => {
    const world = await MillraceWorld.open(t, realKafka(kafka))
    const topics: WrittenTopic[] = []
    for (let run = 0; run < runs; run++) topics.push(await world.topic(`orders-${run}`, 3))
    await kafka.createTopic(failures, { partitions: 1 })
    for (const topic of topics) await topic.write(2)
    const bad = new Map<string, number>()
    world.function.script = ({ records }) => {
      const { topic, partition } = records[0]!
      if (partition !== 0) return returned
      bad.set(topic, (bad.get(topic) ?? 0) + 1)
      return failed
    }
    /** A process of its own store: it knows the others by Kafka's groups alone. */
    const join = async (): Promise<MillraceProcess> => {
      const millrace = await world.serve({ config: pauses })
      await Promise.all(
        topics.map(({ name }) =>
          world.map(millrace, name, {
            BatchSize: 10,
            MaximumRetryAttempts: maxRetries,
            DestinationConfig: { OnFailure: { Destination: `kafka://${failures}` } },
            SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: `group-${name}` },
            Tags: { 'millrace:partition-batches': 'single' }
          })
        )
      )
      return millrace
    }
    const calls = (): number => [...bad.values()].reduce((sum, count) => sum + count, 0)
    const callsReach = (count: number) =>
      eventually(() => calls() >= count, { describe: () => `${count} failed calls; ${calls()}`, timeoutMs: 60_000 })

    const first = await join()
    await callsReach(runs)
    const second = await join()
    await first.stop()
    await callsReach(runs * 2)
    const third = await join()
    await first.start()
    await second.stop()
    await callsReach(runs * 3)
    await second.start()
    await third.stop()
    await first.stop()
    await third.start()

    const documents = await eventually(
      async () => {
        const values = await topicValues(kafka.bootstrap(), failures)
        return values.length >= runs * 2 ? values.map(({ value }) => JSON.parse(value!) as FailureDocument) : undefined
      },
      { describe: () => `all are given up; ${calls()} failed calls`, timeoutMs: 90_000, intervalMs: 500 }
    )
    await Promise.all([second.stop(), third.stop()])
    for (const { name } of topics) {
      assert.equal(bad.get(name), maxRetries + 1, `calls of the bad batch of ${name}`)
      const told = documents.filter(({ payload }) => `${name}-0` in payload.records)
      const offsets = told.map(({ payload }) => payload.records[`${name}-0`]!.map(({ offset }) => offset))
      assert.deepEqual(offsets, [[0], [1]], `documents of ${name}`)
      for (const { requestContext } of told) {
        assert.equal(requestContext.condition, 'RetriesExhausted')
        assert.equal(requestContext.approximateInvokeCount, maxRetries + 1)
      }
      const committed = await kafka.committed(`group-${name}`, name)
      assert.deepEqual(
        [...committed.values()].map(({ offset }) => Number(offset)),
        [2, 2, 2]
      )
    }
    assert.deepEqual(world.audit.violations, [])
  })
})
