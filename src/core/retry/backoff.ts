/** How long to wait between tries, in milliseconds. */
export interface Backoff {
  /** Ceiling of the first wait. */
  readonly baseMs: number
  readonly capMs: number
  /** Throttles wait less: the function is there, only busy. */
  readonly throttleCapMs: number
}

/** Reference 5.4. */
export const defaultBackoff: Backoff = { baseMs: 500, capMs: 60_000, throttleCapMs: 15_000 }

/** Full jitter under a ceiling that doubles per try from `baseMs` to `capMs`; never less than a tenth of the base. */
export function backoffMs(
  tries: number,
  chance: number,
  { baseMs, capMs }: Pick<Backoff, 'baseMs' | 'capMs'> = defaultBackoff
): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(tries, 30))
  return Math.max(baseMs / 10, ceiling * chance)
}
