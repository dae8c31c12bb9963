import { shrink } from './shrink.ts'
import { type Outcome, runPlan } from './world.ts'

const linesShown = 60

/** What people need of a failing run: what broke, how to run it again, the smallest plan that fails, and what happened in it. */
export async function failureReport(outcome: Outcome): Promise<string> {
  const smallest = await shrink(outcome.plan)
  const { failures, timeline } = await runPlan(smallest, { keepsTimeline: true })
  return [
    `seed ${outcome.plan.seed}: ${outcome.failures[0]}`,
    `again: npm run simulate -- --from ${outcome.plan.seed} --seeds 1`,
    `smallest plan that fails (for test/simulation/corpus.json): ${JSON.stringify(smallest)}`,
    `it fails with: ${failures.join('; ')}`,
    ...timeline.slice(-linesShown)
  ].join('\n')
}
