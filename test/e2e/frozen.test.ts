import { readFileSync } from 'node:fs'
import { setImmediate as immediate, setTimeout as pause } from 'node:timers/promises'
import { suite, test } from 'node:test'
import { EmbeddedBroker } from '../../src/devbroker/broker.ts'
import { returned } from '../support/http-function.ts'
import { eventually } from '../support/poll.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const sessionMs = 8_000
const callMs = 40
const records = 800

suite('a server that stands still for longer than its session (SIGSTOP) with work in hand', { concurrency: 2 }, () => {
  for (const groupProtocol of ['classic', 'consumer'] as const) {
    test(`${groupProtocol}: calls for nothing that its successor has, and what repeats was in flight or not committed`, async t => {
      const broker = new EmbeddedBroker({ consumerSessionTimeoutMs: sessionMs })
      const world = await EmbeddedWorld.on(t, broker)
      const topic = await world.topic('orders', 4)
      await topic.write(records)
      world.function.script = () => pause(callMs, returned)
      // Of KIP-848 the brokers alone know how long a session is.
      const session = groupProtocol === 'classic' ? { groupSessionSeconds: sessionMs / 1_000 } : {}
      const config = { groupProtocol, ...session, workers: 1 }
      const [one, two] = await Promise.all([world.serve({ config }), world.serve({ config })])
      const input = {
        BatchSize: 5,
        MaximumBatchingWindowInSeconds: 0,
        SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'shared' }
      }
      const mappings = [await world.map(one, topic.name, input), await world.map(two, topic.name, input)] as const
      const callsOf = (mapping: string) =>
        world.function.calls.filter(({ headers }) => headers['x-millrace-mapping'] === mapping)
      await eventually(() => callsOf(mappings[0]).length > 20 && callsOf(mappings[1]).length > 20, {
        describe: 'both work',
        timeoutMs: 60_000
      })

      process.kill(two.pid, 'SIGSTOP')
      await eventually(() => standsStill(two.pid), { describe: 'it stands still', timeoutMs: 5_000 })
      // What it has sent until then is read: a call that is known later would count as one of somebody who lives.
      for (let turn = 0; turn < 3; turn++) await immediate()
      world.audit.killed(mappings[1])
      const theirs = new Set(
        callsOf(mappings[1])
          .slice(-10)
          .flatMap(call => call.records.map(each => each.partition))
      )
      const before = callsOf(mappings[0]).length
      const taken = () =>
        new Set(
          callsOf(mappings[0])
            .slice(before)
            .flatMap(call => call.records.map(each => each.partition))
        )
      await eventually(() => theirs.isSubsetOf(taken()), { describe: 'the other has taken over', timeoutMs: 30_000 })
      // So far that it has passed by what the first had fetched and not called for.
      await world.succeeded(Math.min(topic.total, world.audit.succeeded + 600))
      process.kill(two.pid, 'SIGCONT')

      await world.succeeded(topic.total, 90_000)
      await eventually(() => world.function.running === 0, { describe: 'all calls have ended' })
      world.assertSound(topic)
    })
  }
})

/** Linux tells; elsewhere it is taken to be so at once. */
function standsStill(pid: number): boolean {
  if (process.platform !== 'linux') return true
  return / T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/, ''))
}
