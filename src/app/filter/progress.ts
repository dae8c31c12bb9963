import type { Io } from '../io.ts'

const frameMs = 100
const quietMs = 500
const barWidth = 30

/** A bar on a terminal while something takes long; nothing elsewhere, and nothing of what is over at once. */
export class Progress implements Disposable {
  readonly #io: Pick<Io, 'stderr' | 'columns'>
  readonly #total: number
  readonly #now: () => number
  #nextMs: number
  #isDrawn = false

  constructor(io: Pick<Io, 'stderr' | 'columns'>, total: number, now = () => performance.now()) {
    this.#now = now
    this.#nextMs = now() + quietMs
    this.#io = io
    this.#total = total
  }

  at(done: number): void {
    const now = this.#now()
    if (this.#io.columns === undefined || now < this.#nextMs) return
    this.#nextMs = now + frameMs
    const filled = Math.round((barWidth * Math.min(done, this.#total)) / Math.max(1, this.#total))
    const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
    this.#io.stderr.write(`\r${bar} ${done} of at most ${this.#total} records`)
    this.#isDrawn = true
  }

  /** Takes the bar away. */
  [Symbol.dispose](): void {
    if (this.#isDrawn) this.#io.stderr.write('\r\u001B[K')
  }
}
