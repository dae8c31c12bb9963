import type { Clock } from '../../ports/clock.ts'
import type { SecretReference } from '../../ports/cluster-security.ts'
import type { SecretText } from './secret-text.ts'

/** A new version of a secret is seen this late at most, and at once when the old one is refused. */
const keptMs = 5 * 60_000
/** What was refused is read this often at most, by however many connections: each read may be a call of Secrets Manager. */
const doubtedMs = 500
/** Unless it is refused again it is believed again. */
const forgivenMs = 60_000
/** Waits after failures: doubled up to the last. Trouble that is over is to be seen over within 5 s. */
const firstWaitMs = 500
const longestWaitMs = 4_000

interface Entry {
  kept?: { readonly value: SecretText; readonly untilMs: number }
  reading?: Promise<SecretText>
  failure?: { readonly error: unknown; readonly untilMs: number; readonly times: number }
  /** Text undefined: whatever it holds. */
  doubt?: { readonly text: string | undefined; readonly untilMs: number }
}

/**
 * Keeps what secrets hold for five minutes. One read of a secret is under way at a time, however many connections ask; one
 * that fails is not repeated before a while. What a broker has refused is read anew until it is something else.
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
  get(reference: SecretReference): Promise<SecretText> {
    return this.#value(reference, this.#entry(reference))
  }

  refused(reference: SecretReference): void {
    const entry = this.#entry(reference)
    const nowMs = this.#clock.monotonicMs()
    const { kept, doubt } = entry
    entry.doubt = { text: kept?.value.text ?? doubt?.text, untilMs: nowMs + forgivenMs }
    // What was read a moment ago is as good as what would be read now.
    if (kept !== undefined && kept.untilMs > nowMs + doubtedMs) delete entry.kept
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
    const doubtBefore = entry.doubt
    try {
      const value = await this.#read(reference)
      delete entry.failure
      // What was refused while it was being read may be the old text: then the next one reads again.
      if (entry.doubt === doubtBefore)
        entry.kept = { value, untilMs: this.#clock.monotonicMs() + this.#keepMs(entry, value) }
      return value
    } catch (error) {
      const times = (entry.failure?.times ?? 0) + 1
      entry.failure = { error, times, untilMs: this.#clock.monotonicMs() + this.#waitMs(times) }
      throw error
    } finally {
      delete entry.reading
    }
  }

  #keepMs(entry: Entry, { text }: SecretText): number {
    const { doubt } = entry
    if (doubt === undefined) return keptMs
    if (this.#clock.monotonicMs() < doubt.untilMs && (doubt.text ?? text) === text) return doubtedMs
    delete entry.doubt
    return keptMs
  }

  #waitMs(times: number): number {
    return Math.min(longestWaitMs, firstWaitMs * 2 ** (times - 1)) * (0.8 + 0.2 * this.#clock.chance())
  }
}
