import { saysNoBroker } from '../core/mapping/processing-result.ts'
import type { Clock } from '../ports/clock.ts'
import type { ClusterDirectory, SourceWish } from '../ports/clusters.ts'
import type { ClusterAddress } from '../ports/consumer.ts'

export interface BrokerWatchOptions {
  readonly clusters: ClusterDirectory
  readonly clock: Clock
  readonly wish: SourceWish
  /** What the poller was told. */
  readonly address: ClusterAddress
  /** The brokers are others by now: the poller will not find them by itself. Called once. */
  readonly onMoved: () => void
}

const firstWaitMs = 10_000
const longestWaitMs = 60_000

/** While a poller says that it reaches no broker, asks now and then whether the cluster has moved. */
export class BrokerWatch {
  readonly #options: BrokerWatchOptions
  #waitMs = firstWaitMs
  #cancel: (() => void) | undefined
  #looking = false
  #stopped = false

  constructor(options: BrokerWatchOptions) {
    this.#options = options
  }

  /** The poller has a new text of LastProcessingResult. */
  told(text: string): void {
    if (saysNoBroker(text)) {
      if (this.#cancel === undefined && !this.#looking) this.#lookLater()
      return
    }
    this.#cancel?.()
    this.#cancel = undefined
    this.#waitMs = firstWaitMs
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  #lookLater(): void {
    if (this.#stopped) return
    this.#cancel = this.#options.clock.after(this.#waitMs, () => {
      this.#cancel = undefined
      this.#waitMs = Math.min(longestWaitMs, this.#waitMs * 2)
      void this.#look()
    })
  }

  async #look(): Promise<void> {
    const { clusters, wish, address, onMoved } = this.#options
    this.#looking = true
    clusters.gone(wish.source)
    const found = await clusters.address(wish).catch(() => address)
    this.#looking = false
    if (this.#stopped) return
    if (JSON.stringify(found) === JSON.stringify(address)) this.#lookLater()
    else {
      this.stop()
      onMoved()
    }
  }
}
