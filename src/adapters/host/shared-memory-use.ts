import type { MemoryUse, ProcessMemory } from '../../ports/memory.ts'

/** Of a thread: fetched KiB, KiB of events, polls, pollers. */
const cell = { fetched: 0, events: 1, polls: 2, pollers: 3, stride: 4 } as const
const kiB = 1024

/** What the threads hold, in memory that all of them see: nobody has to be asked, or told. */
export class SharedMemoryUse implements ProcessMemory {
  readonly #cells: Int32Array
  readonly #threads: number
  readonly #own: number

  static cells(threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer(threads * cell.stride * Int32Array.BYTES_PER_ELEMENT)
  }

  /** As the thread of number `thread`, from 0 on. */
  constructor(cells: SharedArrayBuffer, thread: number) {
    this.#cells = new Int32Array(cells)
    this.#threads = this.#cells.length / cell.stride
    this.#own = thread * cell.stride
  }

  others(): MemoryUse | undefined {
    if (this.#threads === 1) return undefined
    const use = { fetchedBytes: 0, eventBytes: 0, polls: 0, pollers: 0 }
    for (let row = 0; row < this.#cells.length; row += cell.stride) {
      if (row === this.#own) continue
      use.fetchedBytes += Atomics.load(this.#cells, row + cell.fetched) * kiB
      use.eventBytes += Atomics.load(this.#cells, row + cell.events) * kiB
      use.polls += Atomics.load(this.#cells, row + cell.polls)
      use.pollers += Atomics.load(this.#cells, row + cell.pollers)
    }
    return use
  }

  publish({ fetchedBytes, eventBytes, polls, pollers }: MemoryUse): void {
    Atomics.store(this.#cells, this.#own + cell.fetched, Math.ceil(fetchedBytes / kiB))
    Atomics.store(this.#cells, this.#own + cell.events, Math.ceil(eventBytes / kiB))
    Atomics.store(this.#cells, this.#own + cell.polls, polls)
    Atomics.store(this.#cells, this.#own + cell.pollers, pollers)
  }

  /** The thread has died: what it held is free. */
  clear(): void {
    this.publish({ fetchedBytes: 0, eventBytes: 0, polls: 0, pollers: 0 })
  }
}
