import type { LambdaInvokerOptions } from '../adapters/invoker/lambda.ts'
import { openInvoker } from '../adapters/invoker/open.ts'
import type { InvokeCall } from '../control/handlers/invoke.ts'
import type { InvokeReply } from '../core/retry/reply.ts'
import type { FunctionEntry } from '../ports/functions.ts'
import type { Invoker } from '../ports/invoker.ts'

/** Names of functions at AWS Lambda are the caller's, without end. */
const mostOpen = 100

interface Opened {
  readonly invoker: Invoker
  calls: number
}

/** Calls functions for the Invoke operation: one invoker a function, opened at its first call. */
export class DirectInvoke implements AsyncDisposable {
  /** By ARN, the one called last at the end. */
  readonly #open = new Map<string, Opened>()
  readonly #options: LambdaInvokerOptions

  constructor(options: LambdaInvokerOptions) {
    this.#options = options
  }

  readonly call = async (entry: FunctionEntry, { payload, ...request }: InvokeCall): Promise<InvokeReply> => {
    const opened = this.#opened(entry)
    opened.calls += 1
    try {
      return await opened.invoker.invoke(payload, {
        ...request,
        // A caller that goes away does not end its function, as at AWS.
        signal: new AbortController().signal
      })
    } finally {
      opened.calls -= 1
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ invoker }) => invoker.close()))
  }

  #opened(entry: FunctionEntry): Opened {
    const opened = this.#open.get(entry.arn) ?? {
      invoker: openInvoker(entry.target, this.#options),
      calls: 0
    }
    this.#open.delete(entry.arn)
    this.#open.set(entry.arn, opened)
    if (this.#open.size > mostOpen) this.#closeIdle()
    return opened
  }

  /** The one that was not called for longest. */
  #closeIdle(): void {
    for (const [arn, { invoker, calls }] of this.#open) {
      // The newest is about to be called.
      if (calls > 0 || arn === [...this.#open.keys()].at(-1)) continue
      this.#open.delete(arn)
      void invoker.close()
      return
    }
  }
}
