import type { InvokeReply } from '../core/retry/reply.ts'

export interface InvokeRequest {
  /** Names the call in logs, and in the function's context. */
  readonly requestId: string
  /** UUID of the mapping; absent for a direct Invoke. */
  readonly mapping?: string
  /** Version or alias the mapping names. */
  readonly qualifier?: string
  /** Ask for the end of the call's log. */
  readonly logTail?: boolean
  /** The caller's `X-Amzn-Trace-Id`; absent: the call begins a trace of its own. */
  readonly trace?: string
  /** Of a direct Invoke: base64 of a JSON object, for the function's context. */
  readonly clientContext?: string
  /** The call is ended when it fires: answer `aborted`. */
  readonly signal: AbortSignal
}

/** Runs one function. Its own failure is an answer, not an exception: `invoke` never rejects. */
export interface Invoker {
  /** `event`: the whole JSON. The bytes must not change until the reply. */
  invoke(event: Uint8Array, request: InvokeRequest): Promise<InvokeReply>
  /** Ends idle connections; calls in flight are aborted. */
  close(): Promise<void>
}
