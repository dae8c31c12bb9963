// Runs the data plane through seeded simulations, each another world with other faults.
//   npm run simulate -- --seeds 1000 --from 1
// Prints each failing seed with the smallest plan that fails and a timeline; exit code 1 when one failed.
import { parseArgs } from 'node:util'
import { failureReport } from '../test/simulation/failure-report.ts'
import { drawPlan } from '../test/simulation/plan.ts'
import { runPlan } from '../test/simulation/world.ts'

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '1000' }, from: { type: 'string', default: '1' } }
})
const number = (name: 'seeds' | 'from'): number => {
  const value = Number(values[name])
  if (!Number.isSafeInteger(value) || value < 1) {
    console.error(`--${name} is a whole number from 1 on, not ${values[name]}`)
    process.exit(2)
  }
  return value
}
const from = number('from')
const seeds = number('seeds')
const started = performance.now()
const total = { failed: 0, records: 0, aborted: 0, deliveries: 0, repeats: 0, givenUp: 0, ms: 0 }
for (let seed = from; seed < from + seeds; seed++) {
  const outcome = await runPlan(drawPlan(seed))
  total.records += outcome.records
  total.aborted += outcome.aborted
  total.deliveries += outcome.deliveries
  total.repeats += outcome.repeats
  total.givenUp += outcome.givenUp
  total.ms += outcome.ms
  if (outcome.failures.length === 0) continue
  total.failed++
  console.log(await failureReport(outcome))
}
const seconds = (performance.now() - started) / 1_000
console.log(
  `${seeds} seeds from ${from}: ${total.failed} failed; ${total.records} records and ${total.aborted} aborted ones, ${total.deliveries} deliveries, ` +
    `${total.repeats} of them repeats with a cause, ${total.givenUp} records given up; ${Math.round(total.ms / 3_600_000)} virtual hours in ${Math.round(seconds)} s, ` +
    `${Math.round(seeds / seconds)} seeds a second`
)
process.exitCode = total.failed > 0 ? 1 : 0
