// Readers are killed, stopped and cut off at points drawn by seed while a function fails and delays by the same seed.
//   MILLRACE_SEED=17 node --test test/e2e/crash.test.ts     the run of seed 17
//   MILLRACE_SEEDS=200 node --test test/e2e/crash.test.ts   seeds 1 to 200
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { drawPlan, type CrashPlan } from './crash/crash-plan.ts'
import { runCrash, type CrashOutcome } from './crash/crash-run.ts'
import { plantedBugs, type PlantedBug } from './crash/planted-bugs.ts'

const defaultSeeds = 6
const shownLines = 80

const given = process.env['MILLRACE_SEED']
const first = Number(given ?? 1)
const count = Number(process.env['MILLRACE_SEEDS'] ?? (given === undefined ? defaultSeeds : 1))

const tell = (plan: CrashPlan, { violations, log }: CrashOutcome): string =>
  [`MILLRACE_SEED=${plan.seed} runs it again`, ...violations, JSON.stringify(plan), ...log.slice(-shownLines)].join(
    '\n'
  )

suite(
  'readers that are killed at random lose nothing, keep order, and commit nothing unfinished',
  { concurrency: 3 },
  () => {
    for (let seed = first; seed < first + count; seed++) {
      const plan = drawPlan(seed)
      test(`seed ${seed}, ${plan.protocol} protocol: ${plan.blows.map(({ kind }) => kind).join(', ')}`, async () => {
        const outcome = await runCrash(plan)
        assert.ok(outcome.violations.length === 0, tell(plan, outcome))
        if (outcome.kills === 0) assert.equal(outcome.repeats, 0)
      })
    }
  }
)

const caught: Readonly<Record<PlantedBug, RegExp>> = {
  'commits at fetch': /^ahead: /,
  'commits one too far': /^ahead: /,
  'never commits': /^repeat: /,
  'skips a block': /^(?:order|ahead): /,
  'takes failure for success': /^(?:order|ahead): /,
  'calls twice': /^overlap: /
}

suite('the checker catches a reader that', { concurrency: 3 }, () => {
  const plan: CrashPlan = {
    ...drawPlan(1),
    readers: 1,
    partitions: 2,
    recordsPerPartition: 60,
    batchSize: 5,
    failing: 0.2,
    blows: [{ afterRecords: 40, kind: 'stop', reader: 0, noticedAfterMs: 0 }]
  }

  test('(the same plan without a bug is clean)', async () => {
    const outcome = await runCrash(plan)
    assert.deepEqual(outcome.violations, [], tell(plan, outcome))
  })

  for (const bug of plantedBugs) {
    test(bug, async () => {
      const outcome = await runCrash(plan, bug)
      assert.ok(
        outcome.violations.some(violation => caught[bug].test(violation)),
        tell(plan, outcome)
      )
    })
  }
})
