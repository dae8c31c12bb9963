import type { ItemFailures } from './item-failures.ts'
import type { FailedItems } from './plan.ts'
import type { InvokeReply } from './reply.ts'

/** What one invocation meant for its batch. */
export type Outcome =
  | { readonly kind: 'ok' }
  /** The function ran and named what failed: counts as a try for that. */
  | { readonly kind: 'partial'; readonly failed: FailedItems; readonly error: string }
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

/**
 * Says which outcome a reply is; `plan` decides what follows. AWS: reference 5.1, 6.2.
 * `itemFailures` reads what a function that reports item failures returned; absent: whatever it returned means success.
 */
export function classify(reply: InvokeReply, itemFailures?: (payload: Uint8Array) => ItemFailures): Outcome {
  switch (reply.kind) {
    case 'returned':
      return itemFailures === undefined ? { kind: 'ok' } : reported(itemFailures(reply.payload))
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

function reported(failures: ItemFailures): Outcome {
  switch (failures.kind) {
    case 'none':
      return { kind: 'ok' }
    case 'some':
      return { kind: 'partial', failed: failures.failed, error: `the function reported ${count(failures.failed)}` }
    case 'invalid':
      return { kind: 'failed', error: `the function's answer does not say which items failed: ${failures.reason}` }
    default:
      throw new Error(`unknown item failures ${JSON.stringify(failures satisfies never)}`)
  }
}

const count = ({ length }: FailedItems): string => (length === 1 ? 'one failed item' : `${length} failed items`)
