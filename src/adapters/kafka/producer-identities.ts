import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { apis } from './apis.ts'
import type { Cluster } from './cluster.ts'
import type { ProducerIdentity } from './produce-batch.ts'
import { errorCode, KafkaRefusal } from './problems.ts'
import { retryDelayMs } from './retry-delay.ts'

export interface ProducerIdentitiesDeps {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Log
  /** There is one now. */
  readonly got: () => void
  /** There is none yet: `ask` asks again when it may. */
  readonly failed: (error: Error) => void
}

/** Longest time of a transaction: there is none. */
const noTransactionMs = 0x7fff_ffff

/** The identity that partitions begin with; one that is spent for a partition is given to none any more. */
export class ProducerIdentities {
  readonly #deps: ProducerIdentitiesDeps
  #current: ProducerIdentity | undefined
  #asking = false
  #retryAtMs = 0
  #tries = 0

  constructor(deps: ProducerIdentitiesDeps) {
    this.#deps = deps
  }

  get current(): ProducerIdentity | undefined {
    return this.#current
  }

  /** A partition's sequence under it is uncertain. */
  spent(identity: ProducerIdentity | undefined): void {
    if (identity !== undefined && identity === this.#current) this.#current = undefined
  }

  /** Asks for one unless it is being asked for. Answers when to call again, monotonic; undefined: it will tell by itself. */
  ask(nowMs: number): number | undefined {
    if (this.#asking) return undefined
    if (this.#retryAtMs > nowMs) return this.#retryAtMs
    this.#asking = true
    void this.#ask()
    return undefined
  }

  async #ask(): Promise<void> {
    const { clock, got, failed, log } = this.#deps
    try {
      this.#current = await this.#fetch()
      this.#tries = 0
      this.#asking = false
      got()
    } catch (error) {
      this.#retryAtMs = clock.monotonicMs() + retryDelayMs(this.#tries, clock.chance(), 50, 2000)
      this.#tries++
      this.#asking = false
      log.warn({ error: (error as Error).message }, 'cannot get a producer id yet')
      failed(error as Error)
    }
  }

  async #fetch(): Promise<ProducerIdentity> {
    const { cluster } = this.#deps
    const wire = await cluster.anyWire()
    const answer = await cluster.call(wire, apis.initProducerId, [null, noTransactionMs, -1n, -1])
    if (answer.errorCode !== errorCode.none) throw new KafkaRefusal(answer.errorCode, 'asking for a producer id')
    return { id: answer.producerId, epoch: answer.producerEpoch }
  }
}
