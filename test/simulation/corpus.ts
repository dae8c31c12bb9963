import { readFileSync } from 'node:fs'
import { type Plan, untilItWorks } from './plan.ts'

/** A plan that has failed once, and what it found. */
export interface Found {
  readonly found: string
  readonly plan: Plan
}

type Kept = Partial<Plan> & Pick<Plan, 'function'>

const kept = JSON.parse(readFileSync(new URL('corpus.json', import.meta.url), 'utf8')) as readonly {
  readonly found: string
  readonly plan: Kept
}[]

/** What older plans do not say. */
const unsaid = {
  appendsAtMost: 6,
  gapAtMost: 4,
  singleLane: false,
  failures: untilItWorks,
  function: { incurableEvery: 0, reportsItems: false, namesSome: 0, babbles: 0 }
} as const

export const corpus: readonly Found[] = kept.map(({ found, plan }) => ({
  found,
  plan: { ...unsaid, ...plan, function: { ...unsaid.function, ...plan.function } } as Plan
}))
