import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import type { TestContext } from 'node:test'
import { goProgram, pythonPath, testUnless, withoutGo, withoutPython } from '../support/local-runtimes.ts'
import { assertExactlyOnce } from '../support/written-topic.ts'
import type { MillraceWorld } from './millrace-world.ts'

const directory = resolve('test/fixtures/functions')

/** How a function in each language is written in the configuration; it hands its events on to the world's function. */
const languages = [
  {
    name: 'python',
    missing: withoutPython(),
    config: () => ({
      handler: 'forwarding.handler',
      directory: `${directory}/python`,
      environment: { PATH: pythonPath }
    })
  },
  { name: 'go', missing: withoutGo(), config: () => ({ command: [goProgram()], environment: {} }) }
]

/** Registers a test for each language: a topic goes through a mapping to a process of ours, record by record once. */
export function languageTests(open: (t: TestContext) => Promise<MillraceWorld>): void {
  for (const { name, missing, config } of languages) {
    testUnless(
      missing,
      `a function in ${name} gets every record of its topic once, and they are committed`,
      async t => {
        const world = await open(t)
        const topic = await world.topic(`in-${name}`, 3)
        await topic.write(40)
        const { environment, ...rest } = config()
        const local = { ...rest, environment: { ...environment, FORWARD_TO: world.function.url }, concurrency: 2 }
        const millrace = await world.serve({ config: { functions: { [name]: local } } })
        const input = { FunctionName: name, BatchSize: 10, MaximumBatchingWindowInSeconds: 0 }
        const group = await world.map(millrace, topic.name, input)
        await topic.write(20)
        await world.succeeded(topic.total)
        assert.deepEqual(await millrace.stop(), { code: 0, signal: null })
        assert.deepEqual(await world.kafka.committed(group, topic.name), topic.ends)
        assertExactlyOnce(world.function.values(), topic.values())
        world.assertSound(topic)
      }
    )
  }
}
