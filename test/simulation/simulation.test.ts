import assert from 'node:assert/strict'
import { test } from 'node:test'
import { corpus } from './corpus.ts'
import { failureReport } from './failure-report.ts'
import { drawPlan } from './plan.ts'
import { runPlan } from './world.ts'

const seeds = Number(process.env['MILLRACE_SIM_SEEDS'] ?? 2_000)

test('a seed has one course only', async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const [first, second] = [await runPlan(drawPlan(seed)), await runPlan(drawPlan(seed))]
    assert.equal(first.hash, second.hash)
    assert.ok(first.deliveries > 0, 'something was delivered')
  }
})

for (const { found, plan } of corpus) {
  test(`never again: ${found}`, async () => {
    const outcome = await runPlan(plan, { keepsTimeline: true })
    assert.deepEqual(outcome.failures, [], outcome.timeline.join('\n'))
  })
}

test(`keeps its promises in ${seeds} worlds`, async t => {
  const total = { records: 0, aborted: 0, repeats: 0, givenUp: 0, ms: 0 }
  for (let seed = 1; seed <= seeds; seed++) {
    const outcome = await runPlan(drawPlan(seed))
    if (outcome.failures.length > 0) assert.fail(await failureReport(outcome))
    total.records += outcome.records
    total.aborted += outcome.aborted
    total.repeats += outcome.repeats
    total.givenUp += outcome.givenUp
    total.ms += outcome.ms
  }
  t.diagnostic(
    `${total.records} records and ${total.aborted} aborted ones in ${Math.round(total.ms / 3_600_000)} virtual hours, ${total.repeats} repeats, ${total.givenUp} given up`
  )
  assert.ok(
    total.records > seeds && total.givenUp > seeds && total.aborted > seeds,
    'a run that moves nothing proves nothing'
  )
})
