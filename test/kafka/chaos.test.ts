// Three brokers and three processes of Millrace in one group, under load, while all of them are lost in turn.
//   MILLRACE_SEED=17 node --test test/kafka/chaos.test.ts   the runs of seed 17
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runChaos, sessionMs, timeline } from './chaos/chaos-run.ts'
import { drawSchedule, type ScheduleOptions } from './chaos/schedule.ts'
import { kafkaForSuite, kafkaSuite } from '../support/kafka/kafka-suite.ts'

const seed = Number(process.env['MILLRACE_SEED'] ?? 1)
const shownViolations = 30
/** A minute and a half on two cores that have nothing else to do. */
const timeoutMs = 400_000

const runs: Readonly<Record<string, ScheduleOptions>> = {
  'classic protocol': { protocol: 'classic' },
  'KIP-848': { protocol: 'consumer', losses: 2 },
  transactions: { protocol: 'consumer', transactions: true, losses: 1 }
}

await kafkaSuite('whatever befalls brokers and processes', () => {
  const kafka = kafkaForSuite({
    brokers: 3,
    serverProperties: {
      'group.consumer.min.session.timeout.ms': String(sessionMs),
      'group.consumer.session.timeout.ms': String(sessionMs),
      'group.consumer.min.heartbeat.interval.ms': '2000',
      'group.consumer.heartbeat.interval.ms': '2000',
      // A killed broker is missed sooner than the group would miss its members.
      'broker.session.timeout.ms': '3000',
      'broker.heartbeat.interval.ms': '500',
      // Copies of brokers that were lost come back soon.
      'replica.fetch.backoff.ms': '200'
    }
  })

  for (const [name, options] of Object.entries(runs)) {
    test(
      `${name}: nothing is lost, out of order or committed early, and only the killed repeat`,
      { timeout: timeoutMs },
      async t => {
        const schedule = drawSchedule(seed, options)
        t.diagnostic(`MILLRACE_SEED=${seed}: ${JSON.stringify(schedule.steps)}`)
        const { verdict, history } = await runChaos(t, kafka, `orders-${name.replaceAll(/\W/g, '-')}`, schedule)
        const { violations, records, commits, repeats } = verdict
        t.diagnostic(timeline(history.events))
        const told = [...repeats].map(([{ event }, count]) => `${count} by ${event.kind}`)
        t.diagnostic(
          `${records} records, ${history.calls.length} calls, ${commits} commits; repeated: ${told.join(', ') || 0}`
        )
        const shown = [
          `MILLRACE_SEED=${seed}: ${violations.length} violations`,
          ...violations.slice(0, shownViolations)
        ]
        assert.ok(violations.length === 0, shown.join('\n'))
        assert.ok(records > 1_000 && commits > 50, 'enough happened for the run to count')
      }
    )
  }
})
