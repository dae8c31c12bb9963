import type { Clock } from '../../ports/clock.ts'

/** So long one candidate is waited for before the next is asked as well. */
const patienceMs = 500

/**
 * Asks candidates in turn until one answers: the next when one fails, or is silent for a while, for who hangs must not
 * hide who does not. Rejects with what they all failed with, or at once with a failure that is `final`.
 */
export function firstAnswer<Candidate, Answer>(
  candidates: readonly Candidate[],
  ask: (candidate: Candidate) => Promise<Answer>,
  options: {
    readonly clock: Clock
    readonly final: (failure: Error) => boolean
    readonly allFailed: (failures: readonly Error[]) => Error
  }
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const waiting = [...candidates]
  const failures: Error[] = []
  let stopPatience: (() => void) | undefined
  const askNext = () => {
    stopPatience?.()
    const candidate = waiting.shift()
    if (candidate === undefined) return
    if (waiting.length > 0) stopPatience = options.clock.after(patienceMs, askNext)
    ask(candidate).then(answer => end(() => resolve(answer)), failed)
  }
  const failed = (failure: Error) => {
    failures.push(failure)
    if (options.final(failure)) end(() => reject(failure))
    else if (failures.length === candidates.length) end(() => reject(options.allFailed(failures)))
    else askNext()
  }
  const end = (settle: () => void) => {
    stopPatience?.()
    waiting.length = 0
    settle()
  }
  if (candidates.length === 0) reject(options.allFailed(failures))
  else askNext()
  return promise
}
