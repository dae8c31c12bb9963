import type { LoginOutcome, LoginRefusal } from '../../core/source/login-queue.ts'
import type { LoginTurn, LoginTurns } from '../../ports/login-turns.ts'
import type { FromThread, ToThread } from './thread-messages.ts'

type Message = Extract<ToThread, { type: 'login' | 'login-ended' }>

/** A thread's end of the line to whoever gives turns for the whole process. */
export class RelayedLogins implements LoginTurns {
  readonly #send: (message: FromThread) => void
  readonly #asked = new Map<number, (turn: LoginTurn) => void>()
  readonly #ending = new Map<number, (refusal: LoginRefusal | undefined) => void>()
  #next = 1

  constructor(send: (message: FromThread) => void) {
    this.#send = send
  }

  ask(key: string, toldMs: number | undefined): Promise<LoginTurn> {
    const login = this.#next++
    const { promise, resolve } = Promise.withResolvers<LoginTurn>()
    this.#asked.set(login, resolve)
    this.#send({ type: 'login', login, key, toldMs })
    return promise
  }

  receive(message: Message): void {
    const { login } = message
    if (message.type === 'login') {
      const { answer } = message
      this.#asked.get(login)?.(
        answer.kind === 'go' ? { kind: 'go', end: outcome => this.#end(login, outcome) } : answer
      )
      this.#asked.delete(login)
    } else {
      this.#ending.get(login)?.(message.refusal)
      this.#ending.delete(login)
    }
  }

  #end(login: number, outcome: LoginOutcome): Promise<LoginRefusal | undefined> {
    const { promise, resolve } = Promise.withResolvers<LoginRefusal | undefined>()
    this.#ending.set(login, resolve)
    this.#send({ type: 'login-ended', login, outcome })
    return promise
  }
}
