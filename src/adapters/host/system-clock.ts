import type { Clock } from '../../ports/clock.ts'
import { Stillness } from './stillness.ts'

const stillness = new Stillness()

/** The machine's own time and chance. A wait keeps the process alive until it ends or is taken back. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  cameBackMs: () => stillness.cameBackMs(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.max(0, delayMs))
    return () => clearTimeout(timer)
  },
  chance: () => Math.random()
}
