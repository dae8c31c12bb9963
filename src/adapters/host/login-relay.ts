import type { LoginTurn, LoginTurns } from '../../ports/login-turns.ts'
import type { FromThread, ToThread } from './thread-messages.ts'

type Message = Extract<FromThread, { type: 'login' | 'login-ended' }>

/** Asks for the turns that pollers of one thread want. What a thread that dies has begun has ended. */
export class LoginRelay {
  readonly #turns: LoginTurns
  readonly #send: (message: ToThread) => void
  readonly #begun = new Map<number, Extract<LoginTurn, { kind: 'go' }>>()
  #closed = false

  constructor(turns: LoginTurns, send: (message: ToThread) => void) {
    this.#turns = turns
    this.#send = send
  }

  async receive(message: Message): Promise<void> {
    const { login } = message
    if (message.type === 'login') {
      const turn = await this.#turns.ask(message.key, message.toldMs)
      if (turn.kind === 'go') this.#begin(login, turn)
      this.#tell({ type: 'login', login, answer: turn.kind === 'go' ? { kind: 'go' } : turn })
    } else {
      const turn = this.#begun.get(login)
      this.#begun.delete(login)
      this.#tell({ type: 'login-ended', login, refusal: await turn?.end(message.outcome) })
    }
  }

  close(): void {
    this.#closed = true
    for (const turn of this.#begun.values()) void turn.end({ kind: 'unanswered' })
    this.#begun.clear()
  }

  #begin(login: number, turn: Extract<LoginTurn, { kind: 'go' }>): void {
    if (this.#closed) void turn.end({ kind: 'unanswered' })
    else this.#begun.set(login, turn)
  }

  #tell(message: ToThread): void {
    if (!this.#closed) this.#send(message)
  }
}
