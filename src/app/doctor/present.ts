import type { TableLook } from '../mappings/table.ts'
import { table } from '../mappings/table.ts'
import type { StepReport } from './checkup.ts'

/** What an examination came to. */
export interface Account {
  readonly ok: boolean
  readonly ms: number
  readonly steps: readonly StepReport[]
}

export function accountOf(steps: readonly StepReport[], ms: number): Account {
  return { ok: steps.every(({ result }) => result !== 'failed'), ms: Math.round(ms), steps }
}

export function accountText(account: Account, format: 'json' | 'table', look: TableLook): string {
  if (format === 'json') return `${JSON.stringify(account, undefined, 2)}\n`
  const rows = account.steps.map(({ step, about = '', result, ms, detail }) => [
    step,
    about,
    result === 'failed' ? 'FAILED' : result,
    `${ms} ms`,
    detail
  ])
  const failed = account.steps.filter(({ result }) => result === 'failed')
  // Tables are cut at the edge of a terminal; what is wrong is worth its room.
  const wrong = failed.map(
    ({ step, about, detail, advice }) =>
      `\n${step}${about === undefined ? '' : ` ${about}`}: ${detail}\n  ${advice ?? ''}\n`
  )
  const verdict =
    failed.length === 0 ? 'Nothing is wrong.' : `${failed.length} of ${account.steps.length} steps failed.`
  return `${table(['STEP', 'ABOUT', 'RESULT', 'TIME', 'DETAIL'], rows, look)}${wrong.join('')}\n${verdict}\n`
}
