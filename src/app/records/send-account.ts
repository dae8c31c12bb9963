import type { Clock } from '../../ports/clock.ts'
import type { Output } from '../cli/flags.ts'
import type { Io } from '../io.ts'
import type { SentRecord } from './record-sender.ts'

export interface SendAccountOptions {
  readonly topic: string
  readonly output: Output
  /** How many there are; absent: nobody knows. */
  readonly total: number | undefined
  readonly io: Io
  readonly clock: Clock
}

/** Shorter work needs no picture. */
const patienceMs = 500
const frameMs = 100
const barColumns = 30
/** So few are named each. */
const namedRecords = 5

/** Tells what was sent: while it goes on on a terminal, and at the end. */
export class SendAccount {
  readonly #options: SendAccountOptions
  readonly #beganMs: number
  readonly #places: SentRecord[] = []
  readonly #partitions = new Set<number>()
  #sent = 0
  #drawnMs: number | undefined

  constructor(options: SendAccountOptions) {
    this.#options = options
    this.#beganMs = options.clock.monotonicMs()
  }

  add(records: readonly SentRecord[]): void {
    const { output, io } = this.#options
    this.#sent += records.length
    for (const record of records) {
      if (this.#places.length <= namedRecords) this.#places.push(record)
      this.#partitions.add(record.partition)
    }
    if (output === 'json')
      io.stdout.write(
        records.map(({ topic, partition, offset }) => `${JSON.stringify({ topic, partition, offset })}\n`).join('')
      )
    this.#draw()
  }

  /** Says how many were sent; of none only when there were none. */
  close(isWhole: boolean): void {
    const { output, io, topic } = this.#options
    if (this.#drawnMs !== undefined) io.stderr.write('\r\u001B[K')
    this.#drawnMs = undefined
    if (output === 'json' || (this.#sent === 0 && !isWhole)) return
    const places = this.#places.map(({ partition, offset }) => `${partition}@${offset}`)
    const where =
      this.#sent === 0
        ? ''
        : this.#sent <= namedRecords
          ? ` (${places.join(', ')})`
          : ` (partitions ${[...this.#partitions].toSorted((a, b) => a - b).join(', ')})`
    io.stdout.write(`${this.#sent} ${this.#sent === 1 ? 'record' : 'records'} sent to ${topic}${where}\n`)
  }

  #draw(): void {
    const { io, clock, total, output } = this.#options
    const now = clock.monotonicMs()
    if (io.columns === undefined || output === 'json' || now - this.#beganMs < patienceMs) return
    if (this.#drawnMs !== undefined && now - this.#drawnMs < frameMs) return
    this.#drawnMs = now
    const perSecond = Math.round((this.#sent / (now - this.#beganMs)) * 1_000)
    const bar = total === undefined || io.columns < 80 ? '' : `${barOf(this.#sent / total)} `
    const count = total === undefined ? `${this.#sent}` : `${this.#sent} of ${total}`
    io.stderr.write(`\r\u001B[K${bar}${count} records, ${perSecond}/s`)
  }
}

function barOf(share: number): string {
  const done = Math.min(barColumns, Math.round(share * barColumns))
  return `${'█'.repeat(done)}${'░'.repeat(barColumns - done)}`
}
