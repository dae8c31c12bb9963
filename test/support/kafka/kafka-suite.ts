import assert from 'node:assert/strict'
import { after, afterEach, before, suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { kafkaTools } from './kafka-tools.ts'
import type { RunTool } from './kafka-tools.ts'
import { RealKafka } from './real-kafka.ts'
import type { RealKafkaOptions } from './real-kafka.ts'

/**
 * Registers a suite that needs Apache Kafka's jars. Where they cannot be had, the suite is skipped under its name with
 * the reason, and under `CI=true` it fails: there nobody reads what was skipped.
 */
export async function kafkaSuite(name: string, body: (runTool: RunTool) => void): Promise<void> {
  const tools = await kafkaTools()
  if (tools.available) suite(name, () => body(tools.run))
  else if (process.env['CI'] === 'true') test(name, () => assert.fail(tools.reason))
  else test(name, { skip: tools.reason }, () => undefined)
}

/** A Kafka for all tests of the suite in whose body it is called; started when the first of them runs. */
export function kafkaForSuite(options?: RealKafkaOptions): RealKafka {
  const kafka = new RealKafka(options)
  before(() => kafka.start())
  afterEach(t => showLogsOfFailure(t, kafka))
  after(() => kafka.stop())
  return kafka
}

/** A Kafka for one test, gone when the test ends. */
export async function withRealKafka(t: TestContext, options?: RealKafkaOptions): Promise<RealKafka> {
  const kafka = new RealKafka(options)
  t.after(async () => {
    showLogsOfFailure(t, kafka)
    await kafka.stop()
  })
  await kafka.start()
  return kafka
}

// @types/node does not know `passed` of a test's context; Node has it since 21.7.
function showLogsOfFailure(t: object, kafka: RealKafka): void {
  if ('passed' in t && t.passed === false && kafka.started) kafka.showLogs()
}
