import type { Clock } from '../../../ports/clock.ts'

/** What is asked of a secret store or a token endpoint must not hang a connection: rejects after `timeoutMs`. */
export function inTime<Answer>(clock: Clock, timeoutMs: number, asked: Promise<Answer>): Promise<Answer> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const cancel = clock.after(timeoutMs, () => reject(new Error(`the credentials did not come within ${timeoutMs} ms`)))
  return Promise.race([asked, late]).finally(cancel)
}
