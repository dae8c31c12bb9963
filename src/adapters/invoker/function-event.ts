/**
 * What happens to local functions, told as it happens, for a live picture. `instance` names one process of a function (it is
 * its log stream too), `requestId` one call.
 */
export type FunctionEvent =
  | (Told & { readonly kind: 'started'; readonly pid: number; readonly inspectPort?: number })
  /** It waits for its first call; `initMs` since it was started. */
  | (Told & { readonly kind: 'ready'; readonly initMs: number })
  /** It never came to wait for a call. Calls that waited for it have failed with this. */
  | (Told & { readonly kind: 'start-failed'; readonly errorType: string; readonly errorMessage: string })
  | (Told & { readonly kind: 'called'; readonly requestId: string })
  | (Told & {
      readonly kind: 'answered'
      readonly requestId: string
      readonly outcome: 'returned' | 'failed'
      /** Of a failure, as Lambda words it. */
      readonly errorType?: string
      readonly errorMessage?: string
      readonly tookMs: number
    })
  /** A line of its output; `requestId` of the call that it ran, or ran last. */
  | (Told & {
      readonly kind: 'line'
      readonly requestId: string | undefined
      readonly stream: 'stdout' | 'stderr'
      readonly text: string
    })
  /** So much of its output was left out: there was too much of it. */
  | (Told & { readonly kind: 'dropped'; readonly bytes: number })
  /** Its process ended, or was ended at the timeout, while it ran a call. */
  | (Told & {
      readonly kind: 'crashed'
      readonly requestId: string
      readonly errorType: string
      readonly errorMessage: string
    })
  | (Told & { readonly kind: 'ended' })
  /** A file changed: calls from here on go to new processes. `draining` old ones still run a call. */
  | { readonly kind: 'reloaded'; readonly function: string; readonly file: string; readonly draining: number }

interface Told {
  readonly function: string
  readonly instance: string
}

export type OnFunctionEvent = (event: FunctionEvent) => void
