import { processedOk } from '../core/mapping/mapping.ts'
import { describeProblem, type ProcessingProblem } from '../core/mapping/processing-result.ts'
import type { PollerReport } from '../ports/poller-host.ts'

/** What LastProcessingResult says: the source's trouble first, then a batch that is being tried again, then OK. Reported when it changes. */
export class ProcessingResult {
  readonly #report: (report: PollerReport) => void
  readonly #failing = new Map<object, ProcessingProblem>()
  #source: ProcessingProblem | undefined
  #settledOnce = false
  #last = ''

  constructor(report: (report: PollerReport) => void) {
    this.#report = report
  }

  source(problem: ProcessingProblem | undefined): void {
    this.#source = problem
    this.#tell()
  }

  /** While `delivery` is tried again, the mapping has a problem. */
  failing(delivery: object, kind: 'function' | 'destination', error: string): void {
    this.#failing.set(delivery, { kind, message: error })
    this.#tell()
  }

  ended(delivery: object): void {
    this.#failing.delete(delivery)
    this.#tell()
  }

  settled(): void {
    this.#settledOnce = true
  }

  #tell(): void {
    const [failing] = this.#failing.values()
    const problem = this.#source ?? failing
    // Nothing to say before the first record, except that a problem it told of is over.
    if (problem === undefined && !this.#settledOnce && this.#last === '') return
    const result: { text: string; reason?: string } =
      problem === undefined ? { text: processedOk } : describeProblem(problem)
    const key = `${result.reason ?? ''} ${result.text}`
    if (key === this.#last) return
    this.#last = key
    this.#report({ kind: 'result', ...result })
  }
}
