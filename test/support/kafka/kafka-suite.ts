import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { kafkaTools } from './kafka-tools.ts'
import type { RunTool } from './kafka-tools.ts'

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
