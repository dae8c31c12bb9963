import { readFileSync } from 'node:fs'
import type { Plan } from './plan.ts'

/** A plan that has failed once, and what it found. */
export interface Found {
  readonly found: string
  readonly plan: Plan
}

export const corpus = JSON.parse(readFileSync(new URL('corpus.json', import.meta.url), 'utf8')) as readonly Found[]
