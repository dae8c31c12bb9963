/** Doubles per try from half a second up to `capMs`, with full jitter between half and all of it (reference 5.4). */
export function backoffMs(tries: number, chance: number, capMs = 60_000): number {
  const ceiling = Math.min(capMs, 500 * 2 ** Math.min(tries, 20))
  return ceiling * (0.5 + 0.5 * chance)
}

/** Throttles wait less: the function is there, only busy (reference 5.4). */
export const throttleCapMs = 15_000
