import type { Clock } from '../../ports/clock.ts'

/** The machine's own time and chance. Waiting does not keep the process alive when nothing else does. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.max(0, delayMs))
    return () => clearTimeout(timer)
  },
  chance: () => Math.random()
}
