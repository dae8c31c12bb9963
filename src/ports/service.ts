/** Everything long-lived starts and stops the same way, in two stages. */
export interface Service extends AsyncDisposable {
  start(): Promise<void>
  /** Takes no new work, lets running work end within `graceMs`, then aborts it. Safe before start and twice. */
  stop(options?: { readonly graceMs?: number }): Promise<void>
}
