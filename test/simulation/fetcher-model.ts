import { retryDelayMs } from '../../src/adapters/kafka/retry-delay.ts'
import type { ConsumerListener } from '../../src/ports/consumer.ts'
import type { FetchAnswer } from './broker.ts'
import type { ConsumerDeps, ConsumerSettings } from './sim-consumer.ts'
import { topic } from './sim-block.ts'

interface Position {
  readonly partition: number
  offset: number
  inFlight: boolean
  retryAtMs: number
  tries: number
}

const requestTimeoutMs = 1_000

/** The fetcher of `src/adapters/kafka/fetcher.ts` as its listener sees it: two long polls at a time, each partition in one of them. */
export class FetcherModel {
  readonly #settings: ConsumerSettings
  readonly #deps: ConsumerDeps
  readonly #listener: () => ConsumerListener
  readonly #positions = new Map<number, Position>()
  #polls = 0
  #stopped = false
  #disarm: () => void = () => undefined

  constructor(settings: ConsumerSettings, deps: ConsumerDeps, listener: () => ConsumerListener) {
    this.#settings = settings
    this.#deps = deps
    this.#listener = listener
  }

  add(partition: number, offset: number): void {
    this.#positions.set(partition, { partition, offset, inFlight: false, retryAtMs: 0, tries: 0 })
  }

  remove(partition: number): void {
    this.#positions.delete(partition)
  }

  stop(): void {
    this.#stopped = true
    this.#positions.clear()
    this.#disarm()
  }

  pump(): void {
    if (this.#stopped || this.#polls === 2) return
    const nowMs = this.#deps.clock.monotonicMs()
    const wanted = [...this.#positions.values()].filter(
      ({ partition, inFlight, retryAtMs }) =>
        !inFlight && retryAtMs <= nowMs && this.#listener().wants({ topic, partition })
    )
    if (wanted.length > 0) void this.#fetch(wanted)
    this.#disarm()
    const next = Math.min(
      ...[...this.#positions.values()].map(each => (each.retryAtMs > nowMs ? each.retryAtMs : Infinity))
    )
    if (next < Infinity) this.#disarm = this.#deps.clock.after(next - nowMs, () => this.pump())
  }

  async #fetch(positions: readonly Position[]): Promise<void> {
    const { broker, network, life } = this.#deps
    const { fetchMaxWaitMs } = this.#settings
    this.#polls++
    for (const position of positions) position.inFlight = true
    const questions = positions.map(({ partition, offset }) => ({ partition, offset }))
    try {
      const answers = await network.call<readonly FetchAnswer[]>(
        life,
        reply => broker.fetch(questions, fetchMaxWaitMs, reply),
        fetchMaxWaitMs + requestTimeoutMs
      )
      answers.forEach((answer, index) => this.#take(answer, positions[index]!))
    } catch {
      for (const position of positions) this.#failed(position)
    }
    this.#polls--
    for (const position of positions) position.inFlight = false
    this.pump()
  }

  #current(position: Position, offset: number): boolean {
    return !this.#stopped && this.#positions.get(position.partition) === position && position.offset === offset
  }

  #take({ offset, batches }: FetchAnswer, position: Position): void {
    if (!this.#current(position, offset)) return
    if (batches === undefined) {
      void this.#reset(position)
      return
    }
    position.tries = 0
    let skipped = false
    for (const batch of batches) {
      if (batch.next <= position.offset) continue
      const records = batch.records.filter(record => record.offset >= offset)
      position.offset = batch.next
      skipped = records.length === 0
      if (skipped) continue
      this.#listener().fetched(this.#deps.receive(batch, records))
      if (!this.#current(position, batch.next)) return
    }
    if (skipped) this.#listener().skipped({ topic, partition: position.partition }, position.offset)
  }

  #failed(position: Position): void {
    const { clock } = this.#deps
    position.retryAtMs = clock.monotonicMs() + retryDelayMs(position.tries++, clock.chance())
  }

  async #reset(position: Position): Promise<void> {
    const { broker, network, life } = this.#deps
    const { partition, offset } = position
    const log = broker.logs[partition]!
    position.retryAtMs = Infinity
    const find = (reply: (to: number) => void) =>
      reply(this.#settings.startingPosition === 'TRIM_HORIZON' ? log.start : log.stable)
    const to = await network.call(life, find, 1_000).catch(() => undefined)
    if (!this.#current(position, offset)) return
    position.retryAtMs = 0
    if (to === undefined || to === offset) this.#failed(position)
    else {
      position.offset = to
      this.#listener().jumped({ topic, partition }, offset, to)
    }
    this.pump()
  }
}
