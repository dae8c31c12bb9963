import type { Clock } from '../../ports/clock.ts'
import type { SecretReference } from '../../ports/cluster-security.ts'
import type { SecretText } from './secret-text.ts'

/** A new version of a secret is seen this late at most, and at once when the old one is refused. */
const keptMs = 5 * 60_000
/** Waits after failures and refusals: doubled up to the last. Trouble that is over is to be seen over within 5 s. */
const firstWaitMs = 500
const longestWaitMs = 4_000
/** A refusal this long after the last one is a new story. */
const forgottenMs = 60_000

interface Entry {
  kept?: { readonly value: SecretText; readonly untilMs: number }
  reading?: Promise<SecretText>
  failure?: { readonly error: unknown; readonly untilMs: number; readonly times: number }
  refusal?: {
    readonly text: string | undefined
    readonly atMs: number
    readonly untilMs: number
    readonly times: number
  }
}

/**
 * Keeps what secrets hold for five minutes. One read of a secret is under way at a time, however many connections ask; one
 * that fails is not repeated before a while. What a broker has refused is read anew, and when it is still the same, it is
 * held back for a while: bad credentials that are tried again and again lock accounts.
 */
export class SecretCache {
  readonly #read: (reference: SecretReference) => Promise<SecretText>
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()

  constructor(read: (reference: SecretReference) => Promise<SecretText>, clock: Clock) {
    this.#read = read
    this.#clock = clock
  }

  /** Rejects as the read does. */
  async get(reference: SecretReference): Promise<SecretText> {
    const entry = this.#entry(reference)
    const value = await this.#value(reference, entry)
    const waitMs = this.#heldBackMs(entry, value)
    if (waitMs <= 0) return value
    await new Promise<void>(resolve => this.#clock.after(waitMs, resolve))
    return this.#value(reference, entry)
  }

  refused(reference: SecretReference): void {
    const entry = this.#entry(reference)
    const nowMs = this.#clock.monotonicMs()
    const { refusal } = entry
    // Connections that were refused together are one refusal.
    if (refusal !== undefined && nowMs < refusal.untilMs) return
    const times = refusal !== undefined && nowMs - refusal.atMs < forgottenMs ? refusal.times + 1 : 1
    const text = entry.kept?.value.text ?? refusal?.text
    entry.refusal = { text, times, atMs: nowMs, untilMs: nowMs + this.#waitMs(times) }
    delete entry.kept
  }

  #entry(reference: SecretReference): Entry {
    const key = JSON.stringify(reference)
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const entry: Entry = {}
    this.#entries.set(key, entry)
    return entry
  }

  async #value(reference: SecretReference, entry: Entry): Promise<SecretText> {
    const nowMs = this.#clock.monotonicMs()
    if (entry.kept !== undefined && nowMs < entry.kept.untilMs) return entry.kept.value
    if (entry.reading !== undefined) return entry.reading
    if (entry.failure !== undefined && nowMs < entry.failure.untilMs) throw entry.failure.error
    entry.reading = this.#readNow(reference, entry)
    return entry.reading
  }

  async #readNow(reference: SecretReference, entry: Entry): Promise<SecretText> {
    const refusalBefore = entry.refusal
    try {
      const value = await this.#read(reference)
      delete entry.failure
      // What was refused while it was being read may be the old text: then the next one reads again.
      if (entry.refusal === refusalBefore && this.#heldBackMs(entry, value) <= 0)
        entry.kept = { value, untilMs: this.#clock.monotonicMs() + keptMs }
      return value
    } catch (error) {
      const times = (entry.failure?.times ?? 0) + 1
      entry.failure = { error, times, untilMs: this.#clock.monotonicMs() + this.#waitMs(times) }
      throw error
    } finally {
      delete entry.reading
    }
  }

  #heldBackMs({ refusal }: Entry, value: SecretText): number {
    return refusal?.text === value.text ? refusal.untilMs - this.#clock.monotonicMs() : 0
  }

  #waitMs(times: number): number {
    return Math.min(longestWaitMs, firstWaitMs * 2 ** (times - 1)) * (0.8 + 0.2 * this.#clock.chance())
  }
}
