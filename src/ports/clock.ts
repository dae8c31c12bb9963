/** Time and chance, so that tests can hold them. */
export interface Clock {
  /** Wall clock, epoch milliseconds: for timestamps people see, never for waiting. */
  now(): number
  /** Monotonic milliseconds: for windows, deadlines and ages of our own making. */
  monotonicMs(): number
  /** Calls `run` once after `delayMs`; the returned function takes it back. */
  after(delayMs: number, run: () => void): () => void
  /**
   * When the process last came back from standing still for seconds (stopped, or its machine was asleep), in monotonic
   * milliseconds. Absent: it never does.
   */
  cameBackMs?(): number
  /** 0 (included) to 1 (excluded). */
  chance(): number
}
