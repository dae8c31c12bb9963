import { LoginQueue } from '../../../core/source/login-queue.ts'
import type { LoginAnswer, LoginAnswers, LoginOutcome, LoginRefusal } from '../../../core/source/login-queue.ts'
import type { Clock } from '../../../ports/clock.ts'
import type { LoginTurn, LoginTurns } from '../../../ports/login-turns.ts'

type Asker = (answer: LoginAnswer) => void

interface Line {
  readonly queue: LoginQueue<Asker>
  stopTimer: () => void
}

/** Gives the turns of a process, see LoginQueue: one line for each key. */
export class LoginDesk implements LoginTurns {
  readonly #clock: Clock
  readonly #lines = new Map<string, Line>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ask(key: string, toldMs: number | undefined): Promise<LoginTurn> {
    const { promise, resolve } = Promise.withResolvers<LoginTurn>()
    const line = this.#line(key)
    const asker = (answer: LoginAnswer) => {
      resolve(answer.kind === 'go' ? this.#turn(line) : answer)
    }
    const answer = line.queue.ask(asker, toldMs, this.#clock.monotonicMs())
    if (answer === undefined) this.#watch(line)
    else asker(answer)
    return promise
  }

  #turn(line: Line): LoginTurn {
    const beganMs = this.#clock.monotonicMs()
    let over: Promise<LoginRefusal | undefined> | undefined
    return { kind: 'go', end: outcome => (over ??= Promise.resolve(this.#end(line, outcome, beganMs))) }
  }

  #end(line: Line, outcome: LoginOutcome, beganMs: number): LoginRefusal | undefined {
    this.#tell(line, line.queue.ended(outcome, beganMs, this.#clock.monotonicMs()))
    if (outcome.kind !== 'refused') return undefined
    // Somebody who tried beside it may have been let in since.
    return line.queue.refusal ?? { ...outcome, atMs: this.#clock.monotonicMs() }
  }

  #tell(line: Line, answers: LoginAnswers<Asker>): void {
    for (const [asker, answer] of answers) asker(answer)
    this.#watch(line)
  }

  #watch(line: Line): void {
    line.stopTimer()
    const { dueMs } = line.queue
    if (dueMs === undefined) return
    const nowMs = this.#clock.monotonicMs()
    line.stopTimer = this.#clock.after(dueMs - nowMs, () => this.#tell(line, line.queue.due(this.#clock.monotonicMs())))
  }

  #line(key: string): Line {
    const nowMs = this.#clock.monotonicMs()
    for (const [other, { queue }] of this.#lines) if (queue.isForgotten(nowMs)) this.#lines.delete(other)
    const known = this.#lines.get(key)
    if (known !== undefined) return known
    const line = { queue: new LoginQueue<Asker>(), stopTimer: () => undefined }
    this.#lines.set(key, line)
    return line
  }
}
