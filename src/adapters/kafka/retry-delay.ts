/** Doubles per try from `firstMs` to `capMs`, with jitter between half and all of it, so that pollers do not march in step. */
export function retryDelayMs(tries: number, chance: number, firstMs = 100, capMs = 4000): number {
  return Math.min(capMs, firstMs * 2 ** Math.min(tries, 20)) * (0.5 + 0.5 * chance)
}
