/** What came of one call of a function. Its own failure is an answer, not an exception. */
export type InvokeReply =
  | {
      readonly kind: 'returned'
      readonly payload: Uint8Array
      readonly executedVersion?: string
      /** The end of the call's log in base64, when it was asked for and the function's host has one. */
      readonly logResult?: string
    }
  | {
      readonly kind: 'function-error'
      readonly errorType: string
      readonly errorMessage: string
      readonly payload: Uint8Array
      readonly logResult?: string
    }
  /** 429, or 503 with retry-after: nothing ran. */
  | { readonly kind: 'throttled'; readonly retryAfterMs?: number; readonly message: string }
  /** Refused or broken connection, 502, 504, no process could be started: nothing is known to have run. */
  | { readonly kind: 'unavailable'; readonly message: string }
  /** 413. */
  | { readonly kind: 'too-large'; readonly message: string }
  | { readonly kind: 'timed-out'; readonly afterMs: number }
  /** The caller's signal ended the call. */
  | { readonly kind: 'aborted' }
