import type { Chance } from './chance.ts'
import type { Life, VirtualTime } from './virtual-time.ts'

export interface NetworkSettings {
  readonly maxDelayMs: number
  /** Of requests, and of answers. */
  readonly lossRate: number
}

/** The way between a process and Kafka: both directions delay, and lose while the network is ill. */
export class Network {
  readonly #settings: NetworkSettings
  readonly #time: VirtualTime
  readonly #chance: Chance
  #healedMs = Infinity
  readonly #cutUntilMs = new Map<Life, number>()

  constructor(settings: NetworkSettings, time: VirtualTime, chance: Chance) {
    this.#settings = settings
    this.#time = time
    this.#chance = chance
  }

  /** Nothing reaches the process or leaves it until then. */
  cut(life: Life, untilMs: number): void {
    this.#cutUntilMs.set(life, untilMs)
  }

  /** Nothing has been lost on the way to and from the process since then. */
  isWellSince(life: Life, sinceMs: number): boolean {
    return (this.#cutUntilMs.get(life) ?? -1) < sinceMs && (this.#settings.lossRate === 0 || this.#healedMs < sinceMs)
  }

  heal(): void {
    this.#healedMs = this.#time.nowMs
  }

  /** Sends a request; `serve` runs at the other end and may answer later. Rejects when no answer comes within `timeoutMs`. */
  call<T>(life: Life, serve: (reply: (answer: T) => void) => void, timeoutMs: number): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const cancel = this.#time.after(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)), life)
    if (!this.#loses(life)) {
      this.#time.after(this.#delay(), () => {
        serve(answer => {
          if (this.#loses(life)) return
          const arrive = () => {
            cancel()
            resolve(answer)
          }
          this.#time.after(this.#delay(), arrive, life)
        })
      })
    }
    return promise
  }

  #delay(): number {
    return 1 + this.#chance.int(this.#settings.maxDelayMs)
  }

  #loses(life: Life): boolean {
    if (this.#healedMs < Infinity) return false
    return (this.#cutUntilMs.get(life) ?? 0) > this.#time.nowMs || this.#chance.happens(this.#settings.lossRate)
  }
}
