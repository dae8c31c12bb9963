import type { InvokeReply } from '../../src/core/retry/reply.ts'
import type { InvokeRequest, Invoker } from '../../src/ports/invoker.ts'

export interface Call {
  readonly request: InvokeRequest
  /** The event as the function would parse it, at the time of the call. */
  readonly event: { records: Record<string, { offset: number; partition: number; value?: string }[]> }
  readonly bytes: number
  answer(reply: InvokeReply): void
}

export const ok: InvokeReply = { kind: 'returned', payload: new Uint8Array() }
export const boom: InvokeReply = {
  kind: 'function-error',
  errorType: 'Error',
  errorMessage: 'boom',
  payload: new Uint8Array()
}

/** A function whose answers the test gives, call by call; or by rule with `answerAll`. */
export class FakeInvoker implements Invoker {
  readonly calls: Call[] = []
  #rule: ((call: Call) => InvokeReply) | undefined

  answerAll(rule: (call: Call) => InvokeReply): void {
    this.#rule = rule
  }

  invoke(event: Uint8Array, request: InvokeRequest): Promise<InvokeReply> {
    return new Promise(resolve => {
      const call: Call = {
        request,
        bytes: event.length,
        event: JSON.parse(Buffer.from(event).toString()) as Call['event'],
        answer: resolve
      }
      this.calls.push(call)
      request.signal.addEventListener('abort', () => {
        resolve({ kind: 'aborted' })
      })
      if (this.#rule !== undefined) resolve(this.#rule(call))
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Offsets of each call, by partition, in order. */
  get sent(): Record<string, number[]>[] {
    return this.calls.map(({ event }) =>
      Object.fromEntries(Object.entries(event.records).map(([key, list]) => [key, list.map(({ offset }) => offset)]))
    )
  }
}
