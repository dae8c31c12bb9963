import { openHttpInvoker } from '../adapters/invoker/http.ts'
import type { InvokeCall } from '../control/handlers/invoke.ts'
import type { InvokeReply } from '../core/retry/reply.ts'
import type { FunctionEntry } from '../ports/functions.ts'
import type { Invoker } from '../ports/invoker.ts'
import type { Log } from '../ports/log.ts'

/** Calls functions for the Invoke operation: one invoker a function, opened at its first call. */
export class DirectInvoke implements AsyncDisposable {
  readonly #invokers = new Map<string, Invoker>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  readonly call = (entry: FunctionEntry, { payload, ...request }: InvokeCall): Promise<InvokeReply> => {
    let invoker = this.#invokers.get(entry.name)
    if (invoker === undefined) {
      invoker = openHttpInvoker(entry.target, { log: this.#log })
      this.#invokers.set(entry.name, invoker)
    }
    return invoker.invoke(payload, {
      ...request,
      // A caller that goes away does not end its function, as at AWS.
      signal: new AbortController().signal
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#invokers.values()].map(invoker => invoker.close()))
  }
}
