import type { LoginRefusal } from '../../../core/source/login-queue.ts'
import type { LoginTurns } from '../../../ports/login-turns.ts'

/** Something that shows credentials to somebody, and may be refused. */
export interface Trial<Result> {
  /** Names the credentials and who sees them, and gives nothing away. */
  readonly key: string
  readonly run: () => Promise<Result>
  /** Whether a failure says that the credentials are wrong, and who said it in which words. */
  readonly refusalOf: (error: Error) => { readonly broker: string; readonly reason: string } | undefined
  /** The failure of whoever hears of the refusal; `cause` where it was its own. */
  readonly failure: (refusal: LoginRefusal, cause?: Error) => Error
}

/** Makes trials when their turn has come, and remembers the last refusal that it has heard. */
export class TurnTaker {
  readonly #logins: LoginTurns
  #told: { readonly key: string; readonly atMs: number } | undefined

  constructor(logins: LoginTurns) {
    this.#logins = logins
  }

  /** Resolves to undefined when a pause is over: the credentials may be others by now. */
  async take<Result>({
    key,
    run,
    refusalOf,
    failure
  }: Trial<Result>): Promise<{ readonly result: Result } | undefined> {
    const turn = await this.#logins.ask(key, this.#told?.key === key ? this.#told.atMs : undefined)
    if (turn.kind === 'again') return undefined
    if (turn.kind === 'refused') throw failure(this.#heard(key, turn.refusal))
    let result: Result
    try {
      result = await run()
    } catch (error) {
      const said = error instanceof Error ? refusalOf(error) : undefined
      const refusal = await turn.end(said === undefined ? { kind: 'unanswered' } : { kind: 'refused', ...said })
      throw refusal === undefined ? error : failure(this.#heard(key, refusal), error as Error)
    }
    await turn.end({ kind: 'in' })
    return { result }
  }

  #heard(key: string, refusal: LoginRefusal): LoginRefusal {
    this.#told = { key, atMs: refusal.atMs }
    return refusal
  }
}
