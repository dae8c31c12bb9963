import type { InvokeReply } from './reply.ts'

/** What one invocation meant for its batch. */
export type Outcome =
  | { readonly kind: 'ok' }
  /** The function ran and failed: counts as a try. */
  | { readonly kind: 'failed'; readonly error: string }
  /** The function is there but busy: nothing ran, no try is spent. */
  | { readonly kind: 'busy'; readonly waitMs: number | undefined; readonly error: string }
  /** The function could not be reached: nothing ran, no try is spent (reference 5.1). */
  | { readonly kind: 'unreachable'; readonly error: string }
  /** The event is larger than the function takes. */
  | { readonly kind: 'too-large'; readonly error: string }
  /** We cut the call ourselves: the partition has gone or the process stops. */
  | { readonly kind: 'aborted' }

/** Says which outcome a reply is; `plan` decides what follows. AWS: reference 5.1. */
export function classify(reply: InvokeReply): Outcome {
  switch (reply.kind) {
    case 'returned':
      return { kind: 'ok' }
    case 'function-error':
      return { kind: 'failed', error: `${reply.errorType}: ${reply.errorMessage}` }
    // No answer in time: the function may have done its work, so it counts.
    case 'timed-out':
      return { kind: 'failed', error: `no answer within ${reply.afterMs} ms` }
    case 'throttled':
      return { kind: 'busy', waitMs: reply.retryAfterMs, error: reply.message }
    case 'unavailable':
      return { kind: 'unreachable', error: reply.message }
    case 'too-large':
      return { kind: 'too-large', error: reply.message }
    case 'aborted':
      return { kind: 'aborted' }
    default:
      throw new Error(`unknown reply ${JSON.stringify(reply satisfies never)}`)
  }
}
