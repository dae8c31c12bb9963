import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { BrokerProcess } from '../support/broker-process.ts'
import { failed, never, returned } from '../support/http-function.ts'
import { eventually } from '../support/poll.ts'
import { MillraceWorld } from './millrace-world.ts'

const graceSeconds = 2
/** Commits under way and those after the grace may take five seconds each, leaving the groups three. */
const longestMs = 13_000
const slackMs = 5_000

suite('SIGTERM while the brokers answer nothing any more', () => {
  for (const groupProtocol of ['classic', 'consumer'] as const) {
    test(`${groupProtocol}: batches that wait for their retry or for their function, and commits: the stop has an end`, async t => {
      const broker = await BrokerProcess.start()
      const world = await MillraceWorld.open(t, broker.kafka)
      t.after(() => broker[Symbol.asyncDispose]())
      const topics = await Promise.all(['well', 'failing', 'hanging'].map(name => world.topic(name, 2)))
      const [well, failing, hanging] = topics as [(typeof topics)[0], (typeof topics)[0], (typeof topics)[0]]
      let done = 0
      world.function.script = ({ records }) => {
        const { topic } = records[0]!
        if (topic === well.name) done += records.length
        return topic === well.name ? returned : topic === failing.name ? failed : never
      }
      const millrace = await world.serve({ config: { graceSeconds, groupProtocol, retryBaseMs: 60_000 } })
      for (const { name } of topics) await world.map(millrace, name)
      for (const topic of [failing, hanging, well]) await topic.write(5)
      await millrace.logs(/^function call failed: the batch is tried again$/)
      await eventually(() => world.function.running >= 1 && done === well.total, { describe: 'calls are under way' })
      broker.fallSilent()
      const beganMs = performance.now()
      assert.deepEqual(await millrace.stop(), { code: 0, signal: null })
      const tookMs = performance.now() - beganMs
      t.diagnostic(`stopped within ${Math.round(tookMs)} ms`)
      assert.ok(tookMs < longestMs + slackMs, `${tookMs} ms\n${millrace.tail()}`)
      assert.ok(!millrace.log.some(({ message }) => message.includes('left behind')), 'every poller stopped by itself')
    })
  }
})
