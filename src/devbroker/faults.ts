import { apiNamed } from './apis.ts'
import { errorCode } from './error-codes.ts'

/**
 * How a request goes wrong: refused with an error by name or number; its connection cut before anything happens; its
 * connection cut after everything happened, so that only the answer is lost; or handled late.
 */
export type Fault =
  | { readonly error: number | string }
  | { readonly dropConnection: true }
  | { readonly loseAnswer: true }
  | { readonly delayMs: number }

/** Misbehaviour ordered for the next requests of an API, in the order it was ordered. */
export class Faults {
  readonly #queues = new Map<number, Fault[]>()

  /** Throws on an unknown API or error name. */
  order(api: string, fault: Fault, count: number): void {
    if ('error' in fault) errorCode(fault.error)
    const { key } = apiNamed(api)
    const queue = this.#queues.get(key) ?? []
    for (let i = 0; i < count; i++) queue.push(fault)
    this.#queues.set(key, queue)
  }

  forget(api: string): void {
    this.#queues.delete(apiNamed(api).key)
  }

  take(apiKey: number): Fault | undefined {
    return this.#queues.get(apiKey)?.shift()
  }
}
