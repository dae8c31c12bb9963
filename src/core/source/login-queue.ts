/** What a broker said to credentials, as all are told who would show the same. */
export interface LoginRefusal {
  /** Who said so first. It stays named while others say the same: a text that changed with each try would look like news. */
  readonly broker: string
  readonly reason: string
  /** Monotonic milliseconds of whoever keeps the queue; tells an earlier refusal from a later one. */
  readonly atMs: number
}

/** How a try ended; `unanswered`: nobody said yes or no. */
export type LoginOutcome =
  | { readonly kind: 'in' }
  | { readonly kind: 'refused'; readonly broker: string; readonly reason: string }
  | { readonly kind: 'unanswered' }

/**
 * go       try, and tell how it ended
 * refused  somebody else was refused with the same: do not try
 * again    a pause is over: see whether the credentials are still the same, and ask again
 */
export type LoginAnswer =
  { readonly kind: 'go' } | { readonly kind: 'refused'; readonly refusal: LoginRefusal } | { readonly kind: 'again' }

export type LoginAnswers<Asker> = readonly (readonly [asker: Asker, answer: LoginAnswer])[]

/** After refusals in a row. The last, the time of a try and what follows it are less than the five seconds in which a cure is to be seen. */
const pausesMs = [500, 1_000, 2_000, 4_000] as const
/** A refusal this long after the last one begins anew. */
const forgottenMs = 60_000
/** So long after a success the credentials are taken for good: connections need not wait for each other. */
const trustedMs = 1_000
/** But no more at a time: a password that is changed just then costs no more wrong tries than this. */
const firstTogether = 8
/** Each success makes room for one more, up to this: or hundreds of connections to brokers far away would take minutes. */
const mostTogether = 64

/**
 * Who may show one set of credentials to one cluster, and when: wrong ones that every connection tried by itself would lock the
 * account. One at a time tries what is not known to be good. When it is refused, all who wait are told, and nobody tries for a pause
 * that doubles up to four seconds; then one does. When it is let in, the others follow.
 */
export class LoginQueue<Asker> {
  readonly #waiting: Asker[] = []
  #trying = 0
  #refusal: LoginRefusal | undefined
  #refusals = 0
  #refusedMs = -Infinity
  #pausedUntilMs = -Infinity
  #trustedUntilMs = -Infinity
  /** In a row, each within the trust of the one before. */
  #successes = 0

  /** @param toldMs `atMs` of the last refusal that the asker has heard. Undefined is returned to who has to wait. */
  ask(asker: Asker, toldMs: number | undefined, nowMs: number): LoginAnswer | undefined {
    // Told at once, or what is wrong would be known only when the pause is over.
    if (this.#refusal !== undefined && (toldMs === undefined || toldMs < this.#refusal.atMs))
      return { kind: 'refused', refusal: this.#refusal }
    if (this.#places(nowMs) > 0) {
      this.#trying++
      return { kind: 'go' }
    }
    this.#waiting.push(asker)
    return undefined
  }

  /** A try that began then has ended. */
  ended(outcome: LoginOutcome, beganMs: number, nowMs: number): LoginAnswers<Asker> {
    this.#trying--
    switch (outcome.kind) {
      case 'in':
        this.#refusal = undefined
        this.#successes = nowMs < this.#trustedUntilMs ? this.#successes + 1 : 0
        this.#trustedUntilMs = nowMs + trustedMs
        return this.#let(nowMs)
      case 'refused':
        // Those that tried together are one refusal.
        return this.#refusal !== undefined && beganMs < this.#refusal.atMs ? [] : this.#refuse(outcome, nowMs)
      case 'unanswered':
        return this.#let(nowMs)
      default:
        throw new Error(`no way on from ${JSON.stringify(outcome satisfies never)}`)
    }
  }

  /** What everybody is told at the moment. */
  get refusal(): LoginRefusal | undefined {
    return this.#refusal
  }

  /** When to ask for `due`: somebody waits for the end of a pause. */
  get dueMs(): number | undefined {
    return this.#refusal !== undefined && this.#trying === 0 && this.#waiting.length > 0
      ? this.#pausedUntilMs
      : undefined
  }

  /** The pause is over: what they would have shown may have been changed meanwhile. */
  due(nowMs: number): LoginAnswers<Asker> {
    const { dueMs } = this
    if (dueMs === undefined || nowMs < dueMs) return []
    return this.#waiting.splice(0).map(asker => [asker, { kind: 'again' }])
  }

  /** It knows nothing that a new one would not. */
  isForgotten(nowMs: number): boolean {
    return (
      this.#trying === 0 &&
      this.#waiting.length === 0 &&
      nowMs >= this.#trustedUntilMs &&
      nowMs >= this.#refusedMs + forgottenMs
    )
  }

  #refuse({ broker, reason }: { readonly broker: string; readonly reason: string }, nowMs: number) {
    this.#refusals = nowMs < this.#refusedMs + forgottenMs ? this.#refusals + 1 : 1
    this.#refusedMs = nowMs
    this.#trustedUntilMs = -Infinity
    this.#pausedUntilMs = nowMs + pausesMs[Math.min(this.#refusals, pausesMs.length) - 1]!
    const before = this.#refusal
    const refusal = { broker: before?.reason === reason ? before.broker : broker, reason, atMs: nowMs }
    this.#refusal = refusal
    return this.#waiting.splice(0).map(asker => [asker, { kind: 'refused', refusal }] as const)
  }

  #let(nowMs: number): LoginAnswers<Asker> {
    const next = this.#waiting.splice(0, this.#places(nowMs))
    this.#trying += next.length
    return next.map(asker => [asker, { kind: 'go' }])
  }

  /** How many may begin now. */
  #places(nowMs: number): number {
    if (this.#refusal !== undefined && nowMs < this.#pausedUntilMs) return 0
    const isTrusted = this.#refusal === undefined && nowMs < this.#trustedUntilMs
    const together = isTrusted ? Math.min(mostTogether, firstTogether + this.#successes) : 1
    return Math.max(0, together - this.#trying)
  }
}
