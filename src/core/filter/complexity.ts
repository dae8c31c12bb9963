import type { Test } from './operators.ts'

/** Why matching these tests could cost too much, undefined when it cannot. */
export function complexityProblem(_tests: readonly Test[]): string | undefined {
  return undefined
}
