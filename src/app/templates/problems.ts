import { MillraceError } from '../../core/errors.ts'
import type { ErrorCode } from '../../core/errors.ts'

/** Why a template cannot be run as it is. */
export interface TemplateProblem {
  readonly file: string
  /** Where it stands, such as `Resources.Orders.Properties.Topics[0]`; empty: the whole file. */
  readonly path: string
  /** From 1; absent where the text does not say. */
  readonly line?: number
  readonly column?: number
  readonly message: string
}

/** `MILL_TEMPLATE` or `MILL_TEMPLATE_UNREADABLE`, with every problem that was found. */
export class TemplateError extends MillraceError {
  readonly problems: readonly TemplateProblem[]

  constructor(code: ErrorCode & `MILL_TEMPLATE${string}`, file: string, problems: readonly TemplateProblem[]) {
    const lines = problems.map(problem => problemText(problem, file))
    super(code, [file, lines.length === 1 ? (lines[0] ?? '') : `${lines.length} problems\n  ${lines.join('\n  ')}`])
    this.problems = problems
  }
}

function problemText({ file, path, line, column, message }: TemplateProblem, main: string): string {
  const place = line === undefined ? '' : `${line}:${column ?? 1}`
  const where = [file === main ? place : `${file}${place === '' ? '' : `:${place}`}`, path].filter(part => part !== '')
  return where.length === 0 ? message : `${where.join(' ')}: ${message}`
}

/** Gathers problems, so that all are told at once. */
export class Problems {
  #found: TemplateProblem[] = []

  get found(): readonly TemplateProblem[] {
    return this.#found
  }

  /** What many places need is told once. */
  add(...problems: readonly TemplateProblem[]): void {
    for (const problem of problems) {
      const isKnown = this.#found.some(
        ({ file, path, message }) => file === problem.file && path === problem.path && message === problem.message
      )
      if (!isKnown) this.#found.push(problem)
    }
  }

  /** Runs something of which it is not known yet whether it is needed: its problems are handed back and not kept. */
  trial<T>(run: () => T): { readonly value: T; readonly problems: readonly TemplateProblem[] } {
    const kept = this.#found
    this.#found = []
    try {
      const value = run()
      return { value, problems: this.#found }
    } finally {
      this.#found = kept
    }
  }
}
