import { end, forkHere, nextMessage } from './child.ts'
import type { Expectation, FromDouble, Measured, ToDouble } from './function-double.ts'

/** The function's process: tells what each run came to. */
export class FunctionProcess implements AsyncDisposable {
  readonly #child = forkHere('function-double.ts')
  url = ''

  async start(): Promise<void> {
    const said = await nextMessage<FromDouble>(this.#child)
    if (said.type === 'listening') this.url = said.url
  }

  async expect(expectation: Expectation): Promise<void> {
    const ready = nextMessage<FromDouble>(this.#child)
    this.#child.send({ type: 'expect', expectation } satisfies ToDouble)
    await ready
  }

  /** Nothing more will come: what is missing now is a fault. */
  giveUp(): void {
    if (this.#child.connected) this.#child.send({ type: 'report' } satisfies ToDouble)
  }

  /** Returns when all records have come; what is missing after `withinMs` is a fault. */
  async measured(withinMs: number): Promise<Measured> {
    const timer = setTimeout(() => this.giveUp(), withinMs)
    try {
      const said = await nextMessage<FromDouble>(this.#child, withinMs + 10_000)
      if (said.type !== 'measured') throw new Error(`the function said ${said.type}`)
      return said.measured
    } finally {
      clearTimeout(timer)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return end(this.#child)
  }
}
