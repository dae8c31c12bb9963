import { setTimeout as pause } from 'node:timers/promises'

export interface PollOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number
  readonly intervalMs?: number
  /** What is awaited, for the error; called late, so it may tell what was seen last. */
  readonly describe: string | (() => string)
}

/**
 * Asks until the answer is neither `undefined` nor `false`, and returns it. Only for foreign things that announce nothing,
 * such as another process; ours are awaited by their events. A check that throws is asked again; at the deadline its last
 * error is the cause of ours.
 */
export async function eventually<T>(
  check: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 10_000, intervalMs = 50, describe }: PollOptions
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const answer = await check()
      if (answer !== undefined && answer !== false) return answer
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() >= deadline) {
      const what = typeof describe === 'string' ? describe : describe()
      throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause })
    }
    await pause(intervalMs)
  }
}
