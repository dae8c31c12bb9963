/** What an answer says of itself beside its payload; a destination's `responseContext` is made of it (reference 8.2). */
export interface ReplyContext {
  /** Of HTTP; absent: 200. */
  readonly statusCode?: number
  /** Absent: the function's host did not say; Lambda's own word for the newest is `$LATEST`. */
  readonly executedVersion?: string
  /** Name of the call at the function's host, when that gave it one of its own (AWS Lambda). */
  readonly hostRequestId?: string
  /** The end of the call's log in base64, when it was asked for and the function's host has one. */
  readonly logResult?: string
}

/** What came of one call of a function. Its own failure is an answer, not an exception. */
export type InvokeReply =
  | ({ readonly kind: 'returned'; readonly payload: Uint8Array } & ReplyContext)
  | ({
      readonly kind: 'function-error'
      readonly errorType: string
      readonly errorMessage: string
      readonly payload: Uint8Array
      /** As `X-Amz-Function-Error` has it: `Unhandled` or `Handled`. Absent: Unhandled. */
      readonly functionError?: string
    } & ReplyContext)
  /** 429, or 503 with retry-after: nothing ran. */
  | { readonly kind: 'throttled'; readonly retryAfterMs?: number; readonly message: string }
  /** Refused or broken connection, 502, 504, no process could be started: nothing is known to have run. */
  | { readonly kind: 'unavailable'; readonly message: string }
  /** 413. */
  | { readonly kind: 'too-large'; readonly message: string }
  | { readonly kind: 'timed-out'; readonly afterMs: number }
  /** The caller's signal ended the call. */
  | { readonly kind: 'aborted' }
