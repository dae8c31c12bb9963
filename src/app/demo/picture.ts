import type { Io } from '../io.ts'

export interface Progress {
  readonly records: number
  readonly calls: number
  readonly state: string
  /** By partition. */
  readonly lanes: readonly { readonly sent: number; readonly received: number; readonly total: number }[]
}

const frameMs = 100
const lineMs = 1_000

/** Shows what happens while it happens: a picture that redraws itself on a terminal, a plain line a second elsewhere. */
export class Picture {
  readonly #io: Io
  readonly #progress: () => Progress
  readonly #live: boolean
  #timer: NodeJS.Timeout | undefined
  #drawn = 0

  constructor(io: Io, progress: () => Progress) {
    this.#io = io
    this.#progress = progress
    this.#live = io.columns !== undefined && io.columns >= 60
  }

  start(): void {
    this.#timer = setInterval(
      () => {
        this.#draw()
      },
      this.#live ? frameMs : lineMs
    )
  }

  /** Leaves the last picture standing. Safe twice. */
  stop(): void {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#draw()
    this.#drawn = 0
  }

  /** A line of the story, above the picture. */
  say(text: string): void {
    this.#erase()
    this.#io.stderr.write(`${text}\n`)
    if (this.#live && this.#timer !== undefined) this.#draw()
  }

  #draw(): void {
    const progress = this.#progress()
    if (!this.#live) {
      this.#io.stderr.write(`  ${plain(progress)}\n`)
      return
    }
    this.#erase()
    const lines = paint(progress, this.#io.columns ?? 80, this.#io.colour)
    this.#io.stderr.write(`${lines.join('\n')}\n`)
    this.#drawn = lines.length
  }

  #erase(): void {
    if (this.#drawn > 0) this.#io.stderr.write(`\u001B[${this.#drawn}A\u001B[0J`)
    this.#drawn = 0
  }
}

function plain({ records, calls, state, lanes }: Progress): string {
  const sent = lanes.reduce((sum, lane) => sum + lane.sent, 0)
  return `produced ${sent}  received ${records}  calls ${calls}  mapping ${state}`
}

function paint({ records, calls, state, lanes }: Progress, columns: number, colour: boolean): string[] {
  const width = Math.min(60, columns - 36)
  const tint = (code: number, text: string) => (colour ? `\u001B[${code}m${text}\u001B[0m` : text)
  const bars = lanes.map(({ sent, received, total }, partition) => {
    const done = Math.round((received / total) * width)
    const waiting = Math.max(0, Math.round((sent / total) * width) - done)
    const bar =
      tint(32, '█'.repeat(done)) + tint(33, '▒'.repeat(waiting)) + ' '.repeat(Math.max(0, width - done - waiting))
    return `  orders-${String(partition).padEnd(3)}${bar} ${String(received).padStart(7)} of ${total}`
  })
  return [
    ...bars,
    `  ${tint(32, '█')} received by the function  ${tint(33, '▒')} in Kafka   records ${records}  calls ${calls}  mapping ${state}`
  ]
}
