import type { Plan } from './plan.ts'
import { runPlan } from './world.ts'

/** The smallest plan found that still fails: fewer faults, records, processes and kinds of trouble. */
export async function shrink(plan: Plan): Promise<Plan> {
  let smallest = plan
  for (let shrank = true; shrank;) {
    shrank = false
    for (const smaller of smallerPlans(smallest)) {
      if ((await runPlan(smaller)).failures.length === 0) continue
      smallest = smaller
      shrank = true
      break
    }
  }
  return smallest
}

/** Each a little simpler than `plan`, the boldest first. */
function* smallerPlans(plan: Plan): Generator<Plan> {
  const { faults } = plan
  for (let size = faults.length; size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < faults.length; at += size) yield { ...plan, faults: faults.toSpliced(at, size) }
  }
  if (plan.records > 1) yield { ...plan, records: Math.floor(plan.records / 2) }
  if (plan.processes > 1) yield { ...plan, processes: plan.processes - 1 }
  if (plan.partitions > 1) yield { ...plan, partitions: plan.partitions - 1 }
  for (const key of ['lossRate', 'gapRate', 'burnRate', 'oversizeEvery'] as const) {
    if (plan[key] > 0) yield { ...plan, [key]: 0 }
  }
  for (const key of [
    'fails',
    'hangs',
    'throttles',
    'unreachable',
    'losesAnswer',
    'late',
    'tooManyRecords',
    'namesSome',
    'babbles',
    'incurableEvery'
  ] as const) {
    if (plan.function[key] > 0) yield { ...plan, function: { ...plan.function, [key]: 0 } }
  }
  yield* smallerKafka(plan)
  yield* smallerFailures(plan)
  if (plan.function.poisonEvery > 0) yield { ...plan, function: { ...plan.function, poisonEvery: 0 } }
}

function* smallerKafka(plan: Plan): Generator<Plan> {
  const { group, transactions, ...others } = plan
  const withGroup = group === undefined ? others : { ...others, group }
  if (transactions !== undefined) {
    yield withGroup
    if (transactions.producers > 1) yield { ...plan, transactions: { ...transactions, producers: 1 } }
  }
  if (group?.protocol !== 'consumer') return
  yield { ...plan, group: { ...group, protocol: 'classic' } }
  if (group.assignmentDelayMs > 0) yield { ...plan, group: { ...group, assignmentDelayMs: 0 } }
}

function* smallerFailures(plan: Plan): Generator<Plan> {
  const { failures } = plan
  const { destination, ...others } = failures
  if (destination !== undefined) {
    for (const key of ['refuses', 'losesAnswer', 'hangs'] as const) {
      if (destination[key] > 0) yield { ...plan, failures: { ...failures, destination: { ...destination, [key]: 0 } } }
    }
    // Without it, what has no other end would be tried for ever.
    if (failures.maxRetries >= 0) yield { ...plan, failures: others }
  }
  if (failures.bisect) yield { ...plan, failures: { ...failures, bisect: false } }
  if (failures.agedMs > 0) yield { ...plan, failures: { ...failures, agedMs: 0 } }
  const endless = failures.maxRetries < 0 && destination === undefined
  if (failures.maxAgeSeconds > 0 && !endless) yield { ...plan, failures: { ...failures, maxAgeSeconds: -1 } }
}
