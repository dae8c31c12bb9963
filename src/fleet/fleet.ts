import type { Service } from '../ports/service.ts'
import { MappingCounts } from './mapping-counts.ts'
import { MappingRunner, type RunnerWorld } from './mapping-runner.ts'

export interface FleetOptions extends Omit<RunnerWorld, 'budgetBytes' | 'counts'> {
  /** Of the whole process: what was fetched and is not finished, and events that are out. */
  readonly memoryBudgetBytes: number
}

const pageSize = 1_000

/** Sees what the store wants, and has it run. The API never talks to a poller: the store is the only meeting point. */
export class Fleet implements Service {
  readonly #world: RunnerWorld
  /** What the pollers count. */
  readonly counts = new MappingCounts()
  readonly #runners = new Map<string, MappingRunner>()
  #unwatch: (() => void) | undefined
  #stopped: Promise<void> | undefined

  constructor({ memoryBudgetBytes, ...world }: FleetOptions) {
    this.#world = { ...world, counts: this.counts, budgetBytes: memoryBudgetBytes }
  }

  async start(): Promise<void> {
    if (this.#unwatch !== undefined || this.#stopped !== undefined) return
    const { store } = this.#world
    this.#unwatch = store.watch(uuid => {
      this.#runner(uuid).look()
    })
    let after: string | undefined
    do {
      const page = await store.list({}, pageSize, after)
      for (const { uuid } of page.mappings) this.#runner(uuid)
      after = page.next
    } while (after !== undefined)
    for (const runner of this.#runners.values()) runner.look()
  }

  /** Finishes and commits what is in flight within `graceMs`, leaves the groups. Mappings stay as they are. */
  stop({ graceMs = 0 }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#unwatch?.()
    this.#stopped ??= Promise.all([...this.#runners.values()].map(runner => runner.halt(graceMs))).then(() => undefined)
    return this.#stopped
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #runner(uuid: string): MappingRunner {
    let runner = this.#runners.get(uuid)
    if (runner === undefined) {
      runner = new MappingRunner(uuid, this.#world, () => {
        this.#runners.delete(uuid)
        this.counts.forget(uuid)
      })
      this.#runners.set(uuid, runner)
    }
    return runner
  }
}
